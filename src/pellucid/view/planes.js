"use strict";
// Planes of 16 bits as Python coded them, back to flux. See planes.py.

const CAN_INFLATE = typeof DecompressionStream === "function";

async function inflated(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let k = 0; k < letters.length; k++) bytes[k] = letters.charCodeAt(k);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Values of a coded plane, row by row from the bottom: {width, height, values}.
async function decoded(plane) {
  const [height, width] = plane.shape;
  const halves = await inflated(plane.data);
  const count = width * height;
  const values = new Float32Array(count);
  const known = new Float32Array(count > 65536 ? 65536 : 0);
  if (known.length) for (let code = 1; code < 65536; code++) known[code] = fluxOf(plane, code);
  const codes = new Uint16Array(count);
  const { foretold } = plane;
  for (let k = 0; k < count; k++) {
    let code = (halves[k] << 8) | halves[count + k];
    if (foretold) {
      const first = k % width === 0;
      code += (first ? 0 : codes[k - 1]) - 128;
      if (foretold === 2 && k >= width) code += codes[k - width] - (first ? 0 : codes[k - width - 1]);
    }
    codes[k] = code; // of 16 bits, around which it wraps
    code = codes[k];
    values[k] = code === 0 ? NaN : known.length ? known[code] : fluxOf(plane, code);
  }
  return { width, height, values };
}

function fluxOf(plane, code) {
  return plane.zero + plane.soft * Math.sinh(plane.step * (code - plane.middle));
}

// A layer with its planes decoded, once each: planes[k] is that of band k.
async function opened(layer) {
  const planes = await Promise.all(layer.planes.map((plane) => (plane.decoded ??= decoded(plane))));
  const [a, b, c, d, e, f] = layer.to;
  const size = a * e - b * d;
  return {
    ...layer,
    planes: layer.of.map((k) => planes[k]),
    width: planes[0].width,
    height: planes[0].height,
    // From pixels of the layer to those of the restoration.
    back: [e / size, -b / size, (b * f - e * c) / size, -d / size, a / size, (d * c - a * f) / size],
  };
}

// What a restoration leaves of its input: the input less the restoration, blurred again.
function residualOf(input, again) {
  const planes = input.planes.map((plane, k) => ({
    ...plane,
    values: plane.values.map((value, p) => value - again.planes[k].values[p]),
  }));
  return { ...input, key: "residual", label: "Residual", planes };
}

// The value of band k at a pixel (x, y) of the restoration, in the layer's own unit and pixels.
function valueAt(layer, k, x, y) {
  const [a, b, c, d, e, f] = layer.to;
  const column = Math.round(a * x + b * y + c);
  const row = Math.round(d * x + e * y + f);
  if (column < 0 || row < 0 || column >= layer.width || row >= layer.height) return NaN;
  return layer.planes[k].values[row * layer.width + column];
}
