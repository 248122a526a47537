// Profiles: what a ring or a point of a cut holds, in the restoration's pixels, of each flux layer.

const DASHES = { input: [5, 4], restored: [], truth: [1.5, 3] };
const HUES = { input: "--first", restored: "--ink", truth: "--second" };
const RINGS = 120;

// Flux of a layer in the restoration's unit and pixels, and above its sky.
function fluxIn(view, layer, k, x, y) {
  const sky = layer.sky ? layer.sky[k] : 0;
  const level = layer.sky ? view.subject.sky[k] : 0;
  return (valueAt(layer, k, x, y) - sky) / layer.gain[k] + level;
}

// Mean flux in rings of a pixel around a place: {x (pixels), lines: {key: []}, band: []}.
function radialProfile(view, k) {
  const { subject, layers, centre } = view;
  const [height, width] = subject.shape;
  const most = Math.min(RINGS, Math.ceil(0.5 * Math.min(width, height)));
  const keys = FLUX.filter((key) => layers[key]);
  const empty = () => new Float64Array(most);
  const sums = Object.fromEntries(keys.map((key) => [key, [empty(), empty()]]));
  const [sigmas, counts] = [empty(), empty()];
  const [cx, cy] = centre;
  for (let y = Math.max(0, Math.ceil(cy - most)); y <= Math.min(height - 1, cy + most); y++) {
    for (let x = Math.max(0, Math.ceil(cx - most)); x <= Math.min(width - 1, cx + most); x++) {
      const ring = Math.round(Math.hypot(x - cx, y - cy));
      if (ring >= most) continue;
      for (const key of keys) {
        const value = fluxIn(view, layers[key], k, x, y);
        if (value !== value) continue;
        sums[key][0][ring] += value;
        sums[key][1][ring] += 1;
      }
      const sigma = layers.uncertainty ? valueAt(layers.uncertainty, k, x, y) : NaN;
      if (sigma === sigma) {
        sigmas[ring] += sigma;
        counts[ring] += 1;
      }
    }
  }
  const mean = (sum, count) => Array.from(sum, (value, ring) => (count[ring] ? value / count[ring] : NaN));
  return {
    x: Array.from({ length: most }, (_, ring) => ring),
    lines: Object.fromEntries(keys.map((key) => [key, mean(...sums[key])])),
    band: mean(sigmas, counts),
  };
}

// Flux along a line, a point a pixel.
function cutProfile(view, k) {
  const { layers, line } = view;
  const [[x1, y1], [x2, y2]] = line;
  const long = Math.hypot(x2 - x1, y2 - y1);
  const count = Math.min(2000, Math.max(2, Math.ceil(long) + 1));
  const x = Array.from({ length: count }, (_, p) => (long * p) / (count - 1));
  const keys = FLUX.filter((key) => layers[key]);
  const along = (layer) =>
    x.map((at) => fluxIn(view, layer, k, x1 + ((x2 - x1) * at) / long, y1 + ((y2 - y1) * at) / long));
  return {
    x,
    lines: Object.fromEntries(keys.map((key) => [key, along(layers[key])])),
    band: layers.uncertainty ? along(layers.uncertainty) : x.map(() => NaN),
  };
}

function drawPlot(canvas, view, k) {
  const profile = view.line ? cutProfile(view, k) : radialProfile(view, k);
  const { subject } = view;
  const { context, width, height, colour } = sized(canvas);
  const [left, right, top, bottom] = [44, 6, 10, 30];
  const sigma = subject.sigma[k];
  const sky = subject.sky[k];
  const bent = (value) => Math.asinh((value - sky) / sigma / SOFT);
  const values = Object.values(profile.lines).flat().filter((value) => value === value).map(bent);
  if (!values.length) return;
  let [low, high] = [Math.min(0, ...values), Math.max(0.5, ...values)];
  [low, high] = [low - 0.06 * (high - low), high + 0.06 * (high - low)];
  const unit = subject.scale ?? 1;
  const far = profile.x[profile.x.length - 1] * unit || 1;
  const px = (at) => left + ((at * unit) / far) * (width - left - right);
  const py = (value) => top + ((high - bent(value)) / (high - low)) * (height - top - bottom);
  context.font = `11px ${FONT}`;
  drawAxes(context, { px, py, far, unit, sky, sigma, low, high, width, height, left, right, bottom, colour, subject });
  const restored = profile.lines.restored;
  context.save();
  context.beginPath();
  context.rect(left, top, width - left - right, height - top - bottom);
  context.clip(); // a band wider than the lines would lie on the numbers
  context.fillStyle = colour("--band");
  context.beginPath();
  const there = profile.x.map((_, p) => p).filter((p) => profile.band[p] === profile.band[p] && restored[p] === restored[p]);
  there.forEach((p) => context.lineTo(px(profile.x[p]), py(restored[p] + profile.band[p])));
  there.reverse().forEach((p) => context.lineTo(px(profile.x[p]), py(restored[p] - profile.band[p])));
  context.fill();
  context.restore();
  const order = ["input", "truth", "restored"].filter((key) => profile.lines[key]);
  for (const key of order) {
    context.strokeStyle = colour(HUES[key]);
    context.lineWidth = key === "restored" ? 1.8 : 1.5;
    context.setLineDash(DASHES[key]);
    context.beginPath();
    let down = false;
    profile.lines[key].forEach((value, p) => {
      if (value !== value) down = false;
      else if (down) context.lineTo(px(profile.x[p]), py(value));
      else {
        context.moveTo(px(profile.x[p]), py(value));
        down = true;
      }
    });
    context.stroke();
  }
  // Names with a piece of their line, at the upper right.
  context.textAlign = "right";
  context.textBaseline = "middle";
  order.reverse().forEach((key, row) => {
    const y = top + 6 + 16 * row;
    context.setLineDash(DASHES[key]);
    context.strokeStyle = colour(HUES[key]);
    context.lineWidth = 1.8;
    context.beginPath();
    context.moveTo(width - right - 26, y);
    context.lineTo(width - right - 2, y);
    context.stroke();
    context.fillStyle = colour("--ink");
    context.fillText(view.layers[key].label, width - right - 32, y);
  });
  context.setLineDash([]);
}

function drawAxes(context, at) {
  const { px, py, far, unit, sky, sigma, low, high, width, height, left, right, bottom, colour } = at;
  const [length] = roundLength(far / 60, 18);
  context.strokeStyle = colour("--line");
  context.fillStyle = colour("--faint");
  context.lineWidth = 1;
  context.setLineDash([]);
  context.textAlign = "center";
  context.textBaseline = "top";
  for (let value = 0; value <= far * 1.0001; value += length) {
    const x = px(value / unit);
    context.beginPath();
    context.moveTo(x, height - bottom);
    context.lineTo(x, height - bottom + 4);
    context.stroke();
    context.fillText(+value.toPrecision(4), Math.min(Math.max(x, left + 4), width - right - 8), height - bottom + 6);
  }
  context.textAlign = "right";
  context.fillText(at.subject.scale ? "arcsec" : "pixels", width - right, height - 11);
  context.textBaseline = "middle";
  let last = Infinity;
  for (const level of [0, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 1e6]) {
    const y = py(sky + level * sigma);
    if (Math.asinh(level / SOFT) > high || Math.asinh(level / SOFT) < low || last - y < 22) continue;
    last = y;
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(width - right, y);
    context.stroke();
    const text = level >= 1e4 ? level.toExponential(0).replace("e+", "e") : level;
    context.fillText(level === 0 ? "sky" : `${text} σ`, left - 6, y);
  }
}

// A canvas at the resolution of the screen, blank: its context, its sides, and colours by name.
function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const style = getComputedStyle(document.documentElement);
  return { context, width, height, colour: (name) => style.getPropertyValue(name).trim() };
}

// How often each brightness is, and where black and white are.
function drawHistogram(canvas, view, k) {
  const { context, width, height, colour } = sized(canvas);
  const { subject, look } = view;
  const [from, to] = [Math.asinh(-10 / SOFT), Math.asinh((1.6 * Math.max(subject.white, look.white)) / SOFT)];
  const bins = Math.max(20, Math.floor(width / 3));
  const px = (s) => ((Math.asinh(s / SOFT) - from) / (to - from)) * width;
  for (const [key, hue, filled] of [["input", "--first", false], ["restored", "--faint", true]]) {
    const layer = view.layers[key];
    if (!layer) continue;
    const { sky, sigma } = levelsOf(layer, subject, k);
    const counts = new Float64Array(bins);
    for (const value of layer.planes[k].values) {
      const bin = Math.floor((px((value - sky) / sigma) / width) * bins);
      if (bin >= 0 && bin < bins) counts[bin] += 1;
    }
    const most = Math.log1p(Math.max(...counts));
    context.beginPath();
    context.moveTo(0, height);
    counts.forEach((count, bin) => {
      const y = height - 2 - (Math.log1p(count) / most) * (height - 10);
      context.lineTo((bin / bins) * width, y);
      context.lineTo(((bin + 1) / bins) * width, y);
    });
    context.lineTo(width, height);
    context.fillStyle = context.strokeStyle = colour(hue);
    context.globalAlpha = filled ? 0.35 : 1;
    if (filled) context.fill();
    else context.stroke();
    context.globalAlpha = 1;
  }
  for (const [s, open] of [[look.black, false], [look.white, true]]) {
    const x = Math.min(Math.max(px(s), 5), width - 5);
    context.strokeStyle = context.fillStyle = colour("--ink");
    context.beginPath();
    context.moveTo(x, 9);
    context.lineTo(x, height);
    context.stroke();
    context.beginPath();
    context.moveTo(x - 5, 0);
    context.lineTo(x + 5, 0);
    context.lineTo(x, 9);
    context.closePath();
    if (open) {
      context.fillStyle = colour("--paper");
      context.fill();
      context.stroke();
    } else context.fill();
  }
  return {
    // The limit that is nearer to a place, and the brightness there.
    nearer: (x) => (Math.abs(px(look.black) - x) < Math.abs(px(look.white) - x) ? "black" : "white"),
    level: (x) => SOFT * Math.sinh(from + (x / width) * (to - from)),
  };
}
