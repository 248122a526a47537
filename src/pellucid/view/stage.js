// The sky on its canvas: layers at one place and scale, marks, labels, a scale bar, north and east.

const FONT = '"Inter", "Helvetica Neue", Arial, sans-serif';

// The parts of the canvas and what is shown in each: [{rect, layer, label}].
function partsOf(view, width, height) {
  const whole = { x: 0, y: 0, w: width, h: height };
  const [first, second] = [view.layers[view.first], view.layers[view.second]];
  if (view.mode === "blink") return [{ rect: whole, layer: view.blinked ? second : first }];
  if (view.mode === "slider") {
    const at = Math.round(width * view.split);
    return [
      { rect: whole, clip: { x: 0, y: 0, w: at, h: height }, layer: first },
      { rect: whole, clip: { x: at, y: 0, w: width - at, h: height }, layer: second, right: true },
    ];
  }
  const shown = Object.values(view.layers);
  const columns = bestColumns(shown.length, width, height, view.subject.shape);
  const rows = Math.ceil(shown.length / columns);
  const gap = 2;
  const [w, h] = [(width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows];
  return shown.map((layer, k) => ({
    layer,
    rect: { x: (k % columns) * (w + gap), y: Math.floor(k / columns) * (h + gap), w, h },
  }));
}

// In how many columns so many panels show an image largest.
function bestColumns(count, width, height, [rows, columns]) {
  let best = [0, 1];
  for (let across = 1; across <= count; across++) {
    const size = Math.min(width / across / columns, height / Math.ceil(count / across) / rows);
    if (size > best[0]) best = [size, across];
  }
  return best[1];
}

// Pixels of the screen for one of the restoration, at which all of it is seen.
function fitting(view, width, height) {
  const { rect } = partsOf(view, width, height)[0];
  const [rows, columns] = view.subject.shape;
  return Math.min(rect.w / columns, rect.h / rows);
}

function toScreen(view, rect, x, y) {
  return [rect.x + rect.w / 2 + (x - view.x) * view.zoom, rect.y + rect.h / 2 - (y - view.y) * view.zoom];
}

function toPixel(view, rect, left, top) {
  return [view.x + (left - rect.x - rect.w / 2) / view.zoom, view.y - (top - rect.y - rect.h / 2) / view.zoom];
}

function partAt(parts, left, top) {
  const inside = ({ x, y, w, h }) => left >= x && left <= x + w && top >= y && top <= y + h;
  return parts.find(({ rect, clip }) => inside(clip ?? rect)) ?? parts[0];
}

function drawStage(context, view, width, height, ratio) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = colour("--void");
  context.fillRect(0, 0, width, height);
  const parts = partsOf(view, width, height);
  for (const part of parts) {
    const { rect, clip, layer } = part;
    const area = clip ?? rect;
    context.save();
    context.beginPath();
    context.rect(area.x, area.y, area.w, area.h);
    context.clip();
    drawLayer(context, view, rect, layer, ratio);
    drawMarks(context, view, rect, ratio);
    drawCursor(context, view, rect);
    drawCut(context, view, rect);
    const legend = isFlux(layer) ? null : scaleText(view, layer);
    drawLabel(context, layer.label, area, part.right, legend);
    context.restore();
  }
  if (view.mode === "slider") drawSplit(context, width * view.split, height);
  const at = view.mode === "panels" ? parts[0].rect : { x: 0, y: 0, w: width, h: height };
  drawScale(context, view, at);
  if (view.subject.wcs) drawCompass(context, view, at);
}

function scaleText(view, layer) {
  const [low, high] = endsOf(layer, view.subject, view.look);
  const text = (value) => (layer.key === "doubt" ? String(value) : `${minus(String(+value.toPrecision(2)))} σ`);
  return [text(low), text(high)];
}

function drawLayer(context, view, rect, layer, ratio) {
  const image = pictureOf(view, layer);
  const [a, b, c, d, e, f] = layer.back;
  const z = view.zoom;
  const [left, top] = [rect.x + rect.w / 2, rect.y + rect.h / 2];
  // The corner (0, 0) of the canvas is the pixel (−0.5, −0.5).
  const x = (u, v) => left + z * (a * u + b * v + c - view.x);
  const y = (u, v) => top - z * (d * u + e * v + f - view.y);
  context.save();
  context.imageSmoothingEnabled = z * Math.hypot(a, d) < 1.5;
  context.imageSmoothingQuality = "high";
  context.setTransform(
    ratio * z * a, -ratio * z * d, ratio * z * b, -ratio * z * e,
    ratio * x(-0.5, -0.5), ratio * y(-0.5, -0.5),
  );
  context.drawImage(image, 0, 0);
  context.restore();
}

// Pictures are kept until the look changes.
function pictureOf(view, layer) {
  const key = JSON.stringify(view.look);
  const kept = view.pictures.get(layer.key);
  if (kept?.key === key) return kept.image;
  const image = picture(layer, view.subject, view.look);
  view.pictures.set(layer.key, { key, image });
  return image;
}

// ---- what is written over the sky

function outlined(context, draw) {
  for (const [wide, colour] of [[3.5, "rgba(0,0,0,.55)"], [1.4, "#fff"]]) {
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    draw();
    context.stroke();
  }
}

function written(context, text, x, y, align = "left") {
  context.textAlign = align;
  context.lineJoin = "round";
  context.strokeStyle = "rgba(0,0,0,.6)";
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}

function drawLabel(context, text, area, right, legend) {
  if (area.w < 60) return;
  context.font = `500 13px ${FONT}`;
  context.textBaseline = "alphabetic";
  const x = right ? area.x + area.w - 14 : area.x + 14;
  written(context, text, x, area.y + 24, right ? "right" : "left");
  if (!legend) return;
  const [wide, high, top] = [72, 5, area.y + 34];
  const left = right ? x - wide : x;
  for (let k = 0; k < wide; k++) {
    context.fillStyle = `rgb(${cividis(k / (wide - 1)).map(Math.round).join(",")})`;
    context.fillRect(left + k, top, 1.5, high);
  }
  context.font = `11px ${FONT}`;
  written(context, legend[0], left, top + 18);
  written(context, legend[1], left + wide, top + 18, "right");
}

function drawSplit(context, at, height) {
  outlined(context, () => {
    context.moveTo(at, 0);
    context.lineTo(at, height);
  });
  const y = 0.84 * height; // not over what the image is of
  context.fillStyle = "#fff";
  context.strokeStyle = "rgba(0,0,0,.45)";
  context.lineWidth = 1;
  context.beginPath();
  context.arc(at, y, 13, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.strokeStyle = "#222";
  context.lineWidth = 1.6;
  context.beginPath();
  for (const side of [-1, 1]) {
    context.moveTo(at + 3.5 * side, y - 4);
    context.lineTo(at + 7.5 * side, y);
    context.lineTo(at + 3.5 * side, y + 4);
  }
  context.stroke();
}

function drawCursor(context, view, rect) {
  if (!view.cursor) return;
  const [x, y] = toScreen(view, rect, ...view.cursor);
  const half = Math.max(view.zoom / 2, 4);
  outlined(context, () => {
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * half, y + dy * half);
      context.lineTo(x + dx * (half + 6), y + dy * (half + 6));
    }
  });
}

function drawCut(context, view, rect) {
  if (!view.line) {
    const [x, y] = toScreen(view, rect, ...view.centre);
    outlined(context, () => {
      context.arc(x, y, 3.5, 0, 2 * Math.PI);
    });
    return;
  }
  const [[x1, y1], [x2, y2]] = view.line.map((end) => toScreen(view, rect, ...end));
  outlined(context, () => {
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
  });
  context.font = `600 12px ${FONT}`;
  written(context, "A", x1 - 12, y1 - 6);
  written(context, "B", x2 + 5, y2 - 6);
}

function drawScale(context, view, rect) {
  const scale = view.subject.scale ? view.subject.scale / view.zoom : 1 / view.zoom;
  const [length, name] = roundLength(scale, Math.min(160, rect.w * 0.3));
  const text = view.subject.scale ? name : `${length} px`;
  const [x, y] = [rect.x + 16, rect.y + rect.h - 18];
  const wide = length / scale;
  outlined(context, () => {
    context.moveTo(x, y - 4);
    context.lineTo(x, y);
    context.lineTo(x + wide, y);
    context.lineTo(x + wide, y - 4);
  });
  context.font = `500 12px ${FONT}`;
  written(context, text, x + wide / 2, y - 8, "center");
}

function drawCompass(context, view, rect) {
  const { north, east } = directions(view.subject.wcs);
  const long = 26;
  const [x, y] = [rect.x + rect.w - 52, rect.y + rect.h - 52];
  context.font = `500 12px ${FONT}`;
  context.textBaseline = "middle";
  for (const [[dx, dy], name] of [[north, "N"], [east, "E"]]) {
    outlined(context, () => {
      context.moveTo(x, y);
      context.lineTo(x + long * dx, y - long * dy);
    });
    written(context, name, x + (long + 11) * dx, y - (long + 11) * dy, "center");
  }
  context.textBaseline = "alphabetic";
}
