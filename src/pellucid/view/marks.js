// Marks over the sky: hatching, so that no colour is needed.

const MARKS = {
  doubt: ["Mark: doubt ≥ 0.5", "doubt", [[(value) => value >= 0.5, 1]]],
  residual: ["Mark: residual beyond ±3 σ", "residual", [[(value) => value > 3, 1], [(value) => value < -3, -1]]],
  faint: ["Mark: below 3 × uncertainty", "uncertainty", null],
};

function marksOf(view) {
  const { subject, layers, look } = view;
  const key = `${view.marks} ${look.band}`;
  if (view.marked?.key === key) return view.marked.masks;
  const masks = [];
  const [, of, tests] = MARKS[view.marks];
  const layer = layers[of];
  if (tests) {
    const value = mapped(layer, subject, look);
    for (const [test, slope] of tests) masks.push({ layer, slope, image: maskOf(layer, (p) => test(value(p))) });
  } else {
    const bands = look.band === "colour" ? subject.bands.map((_, k) => k) : [look.band];
    const faint = (p) => bands.every((k) => {
      const flux = layers.restored.planes[k].values[p] - subject.sky[k];
      return flux < 3 * layer.planes[k].values[p];
    });
    masks.push({ layer, slope: 0, image: maskOf(layer, faint) });
  }
  view.marked = { key, masks };
  return masks;
}

function maskOf(layer, test) {
  const canvas = document.createElement("canvas");
  canvas.width = layer.width;
  canvas.height = layer.height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(layer.width, layer.height);
  for (let p = 0; p < layer.width * layer.height; p++) if (test(p)) image.data[4 * p + 3] = 255;
  context.putImageData(image, 0, 0);
  return canvas;
}

function drawMarks(context, view, rect, ratio) {
  if (!view.marks) return;
  for (const { layer, slope, image } of marksOf(view)) {
    const over = document.createElement("canvas");
    over.width = Math.ceil(rect.w * ratio);
    over.height = Math.ceil(rect.h * ratio);
    const inner = over.getContext("2d");
    const view0 = { ...view, pictures: new Map([[layer.key, { key: JSON.stringify(view.look), image }]]) };
    drawLayer(inner, view0, { x: 0, y: 0, w: rect.w, h: rect.h }, layer, ratio);
    inner.setTransform(1, 0, 0, 1, 0, 0);
    inner.globalCompositeOperation = "source-in";
    inner.fillStyle = inner.createPattern(hatch(slope, ratio), "repeat");
    inner.fillRect(0, 0, over.width, over.height);
    context.drawImage(over, rect.x, rect.y, rect.w, rect.h);
  }
}

// A tile of lines that rise (1) or fall (−1), or of dots (0), light on dark.
function hatch(slope, ratio) {
  const side = Math.round(8 * ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = side;
  const context = tile.getContext("2d");
  if (slope === 0) {
    for (const [radius, colour] of [[0.17, "rgba(0,0,0,.55)"], [0.1, "#fff"]]) {
      context.fillStyle = colour;
      context.beginPath();
      context.arc(side / 2, side / 2, radius * side, 0, 2 * Math.PI);
      context.fill();
    }
    return tile;
  }
  for (const [wide, colour] of [[0.32, "rgba(0,0,0,.5)"], [0.14, "#fff"]]) {
    context.strokeStyle = colour;
    context.lineWidth = wide * side;
    for (const shift of [-side, 0, side]) {
      context.beginPath();
      context.moveTo(shift - side, slope > 0 ? 2 * side : -side);
      context.lineTo(shift + 2 * side, slope > 0 ? -side : 2 * side);
      context.stroke();
    }
  }
  return tile;
}
