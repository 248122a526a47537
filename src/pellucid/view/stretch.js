// From flux to what is seen. Flux is counted from the sky in units of its noise, band by band.

const SOFT = 3; // of asinh: below so many times the noise it is linear
const BRIGHT = 60;
const FADED = 3; // times the noise: there half of the colour is left
const FLUX = ["input", "restored", "truth"];
const SPREADS = ["uncertainty", "range95"];
const isFlux = (layer) => FLUX.includes(layer.key) || layer.key.startsWith("sample");
// Cividis: seen alike by all eyes, and dark to light, so that it needs no colour (Nuñez et al. 2018).
const CIVIDIS = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56],
];

// A function from flux in units of the noise to [0, 1], a little more where it is brighter.
function stretchOf({ kind, black, white }) {
  const low = Math.min(black, white - 1e-6);
  if (kind === "linear") return (s) => (s - low) / (white - low);
  if (kind === "log") {
    const most = Math.log10(1001);
    return (s) => Math.log10(1 + 1000 * Math.max((s - low) / (white - low), 0)) / most;
  }
  const [bottom, top] = [Math.asinh(low / SOFT), Math.asinh(white / SOFT)];
  return (s) => (Math.asinh(s / SOFT) - bottom) / (top - bottom);
}

// Which bands are drawn red, green and blue: the redder half, the middle, the bluer half; null for
// one band.
function mixing(subject, band) {
  if (band !== "colour") return null;
  const { order } = subject;
  const [half, odd] = [Math.floor(order.length / 2), order.length % 2];
  const middle = odd ? [order[half]] : order.slice(half - 1, half + 1);
  return [order.slice(-half), middle, order.slice(0, half)];
}

// The picture of a layer in its own pixels, as a canvas; row 0 is the bottom one.
function picture(layer, subject, look) {
  const canvas = document.createElement("canvas");
  canvas.width = layer.width;
  canvas.height = layer.height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(layer.width, layer.height);
  const pixels = new Uint8ClampedArray(image.data.buffer);
  if (!isFlux(layer)) paintMap(pixels, layer, subject, look);
  else if (look.band === "colour") paintColour(pixels, layer, subject, look);
  else paintGrey(pixels, layer, subject, look);
  context.putImageData(image, 0, 0);
  return canvas;
}

function paintGrey(pixels, layer, subject, look) {
  const k = look.band;
  const levels = levelsOf(layer, subject, k);
  const stretch = stretchOf(look);
  const values = layer.planes[k].values;
  for (let p = 0, q = 0; p < values.length; p++, q += 4) {
    const s = (values[p] - levels.sky) / levels.sigma;
    if (s !== s) continue; // no data is not drawn
    const grey = 255 * stretch(s);
    pixels[q] = pixels[q + 1] = pixels[q + 2] = look.inverted ? 255 - grey : grey;
    pixels[q + 3] = 255;
  }
}

// Lupton et al. 2004: the mean is stretched, and each colour keeps its share; colours that noise
// makes fade out.
function paintColour(pixels, layer, subject, look) {
  const bands = mixing(subject, "colour");
  const stretch = stretchOf(look);
  const count = layer.width * layer.height;
  const channels = bands.map((of) => {
    const sum = new Float32Array(count);
    for (const k of of) {
      const { sky, sigma } = levelsOf(layer, subject, k);
      const gain = subject.gains[k] / sigma / of.length;
      const values = layer.planes[k].values;
      for (let p = 0; p < count; p++) sum[p] += (values[p] - sky) * gain;
    }
    return sum;
  });
  const [red, green, blue] = channels;
  const low = look.black;
  for (let p = 0, q = 0; p < count; p++, q += 4) {
    const light = (red[p] + green[p] + blue[p]) / 3;
    if (light !== light) continue;
    const share = light > 0 ? light ** 2 / (light ** 2 + FADED ** 2) : 0;
    const [r, g, b] = [red[p], green[p], blue[p]].map((s) => light - low + share * (s - light));
    const mean = light - low;
    const gain = mean > 0 ? (255 * stretch(mean + low)) / mean : 0;
    const most = Math.max(r, g, b) * gain;
    const factor = most > 255 ? (255 / most) * gain : gain;
    pixels[q] = r * factor;
    pixels[q + 1] = g * factor;
    pixels[q + 2] = b * factor;
    pixels[q + 3] = 255;
    if (look.inverted) for (let c = 0; c < 3; c++) pixels[q + c] = 255 - pixels[q + c];
  }
}

// What is no flux: from dark to light between the ends of its scale.
function paintMap(pixels, layer, subject, look) {
  const [low, high] = endsOf(layer, subject, look);
  const value = mapped(layer, subject, look);
  const count = layer.width * layer.height;
  for (let p = 0, q = 0; p < count; p++, q += 4) {
    const t = (value(p) - low) / (high - low);
    if (t !== t) continue;
    const [r, g, b] = cividis(SPREADS.includes(layer.key) ? Math.asinh(30 * t) / Math.asinh(30) : t);
    pixels[q] = r;
    pixels[q + 1] = g;
    pixels[q + 2] = b;
    pixels[q + 3] = 255;
  }
}

function cividis(t) {
  const place = Math.min(Math.max(t, 0), 1) * (CIVIDIS.length - 1);
  const k = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const share = place - k;
  return CIVIDIS[k].map((low, c) => low + share * (CIVIDIS[k + 1][c] - low));
}

// The sky and the noise of a band in a layer's own pixels and unit.
function levelsOf(layer, subject, k) {
  return { sky: layer.sky[k], sigma: subject.sigma[k] * layer.gain[k] };
}

// Of a map, its value at a place: in units of the noise, but doubt, of which the worst band counts.
function mapped(layer, subject, look) {
  const bands = look.band === "colour" ? subject.bands.map((_, k) => k) : [look.band];
  const planes = bands.map((k) => layer.planes[k].values);
  if (layer.key === "doubt") return (p) => Math.max(...planes.map((values) => values[p]));
  const sigma = bands.map((k) => subject.sigma[k] * layer.gain[k]);
  return (p) => planes.reduce((sum, values, k) => sum + values[p] / sigma[k], 0) / planes.length;
}

// The ends of a map's scale.
function endsOf(layer, subject, look) {
  if (layer.key === "doubt") return [0, 1];
  if (layer.key === "residual") return [-5, 5];
  const value = mapped(layer, subject, look);
  const some = [];
  const count = layer.width * layer.height;
  for (let p = 0; p < count; p += Math.max(1, count >> 14)) if (value(p) === value(p)) some.push(value(p));
  some.sort((one, other) => one - other);
  return [0, some[Math.floor(0.995 * some.length)] || 1];
}

// By how much each band is multiplied in colour, so that all that is seen together is white; what is
// brightest counts no more than the rest.
function gainsOf(subject, layer) {
  const light = subject.bands.map((_, k) => {
    const { sky, sigma } = levelsOf(layer, subject, k);
    let sum = 0;
    for (const value of layer.planes[k].values) if (value - sky > 3 * sigma) sum += Math.min((value - sky) / sigma, BRIGHT);
    return sum;
  });
  const there = light.filter((sum) => sum > 0);
  const mean = there.reduce((sum, value) => sum + value, 0) / (there.length || 1);
  return light.map((sum) => (sum > 0 ? Math.min(Math.max(mean / sum, 0.2), 5) : 1));
}
