// The viewer of one object: its state, and what moves it.

const MODES = [["slider", "Slider", "S"], ["blink", "Blink", "B"], ["panels", "Panels", "A"]];
const KINDS = [["asinh", "asinh"], ["linear", "linear"], ["log", "log"]];
const BLINK = 800; // milliseconds
const NEAR = 0.08; // of the side: how far off the middle what an image is of may lie
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

let view = null;
let asked = false;

async function show(subject) {
  const layers = {};
  for (const layer of await Promise.all(subject.layers.map(opened))) {
    if (layer.key === "again") layers.residual = residualOf(layers.input, layer);
    else layers[layer.key] = layer;
  }
  subject.gains ??= subject.bands.length > 1 ? gainsOf(subject, layers.restored) : [1];
  const [height, width] = subject.shape;
  const keys = Object.keys(layers);
  const same = view && view.subject.bands.join() === subject.bands.join() ? view : null;
  const first = layers.input ? "input" : layers.uncertainty ? "uncertainty" : "restored";
  view = {
    subject,
    layers,
    first: same && layers[same.first] ? same.first : first,
    second: same && layers[same.second] ? same.second : "restored",
    mode: same?.mode ?? (keys.length > 1 ? "slider" : "panels"),
    split: same?.split ?? 0.5,
    blinked: true,
    paused: STILL.matches,
    look: {
      kind: same?.look.kind ?? "asinh",
      band: same?.look.band ?? (subject.bands.length > 1 ? "colour" : 0),
      black: subject.black,
      white: subject.white,
      inverted: same?.look.inverted ?? false,
    },
    marks: same && layers[MARKS[same.marks]?.[1]] ? same.marks : "",
    x: (width - 1) / 2,
    y: (height - 1) / 2,
    zoom: 0,
    fitted: 0,
    cursor: null,
    centre: brightest(layers.restored, subject),
    line: null,
    pictures: new Map(),
  };
  $("name").textContent = subject.name;
  document.title = `${subject.name} · pellucid`;
  $("sub").textContent = subTitle(subject);
  const bands = subject.order.map((k) => [String(k), subject.bands[k]]);
  if (bands.length > 1) bands.unshift(["colour", "Colour"]);
  options($("band"), bands, String(view.look.band));
  const named = Object.values(layers).map((layer) => [layer.key, layer.label]);
  options($("first"), named, view.first);
  options($("second"), named, view.second);
  const marks = Object.entries(MARKS).filter(([, [, of]]) => layers[of]);
  options($("marks"), [["", "No marks"], ...marks.map(([key, [text]]) => [key, text])], view.marks);
  $("modes").hidden = keys.length < 2;
  showWords(view);
  fit();
  changed("all");
}

function subTitle(subject) {
  const [height, width] = subject.shape;
  const scale = subject.scale;
  const size = scale ? `${angle(width * scale)} × ${angle(height * scale)}` : `${width} × ${height} pixels`;
  const what = subject.restored ? "restoration, not a measurement" : "not a restoration";
  return `${size} · ${subject.order.map((k) => subject.bands[k]).join(" ")} · ${what}`;
}

function angle(arcsec) {
  if (arcsec >= 7200) return `${(arcsec / 3600).toFixed(2)}°`;
  return arcsec >= 120 ? `${(arcsec / 60).toFixed(1)}′` : `${arcsec.toFixed(1)}″`;
}

// The brightest pixel near the middle, about which a profile is taken: a star beside what a cutout
// is of counts the less the further off it is.
function brightest(layer, { shape: [height, width], bands, order, sky }) {
  const band = bands.length > 1 ? order[order.length >> 1] : 0;
  const values = layer.planes[band].values;
  const [down, along, near] = [(height - 1) / 2, (width - 1) / 2, NEAR * Math.min(height, width)];
  let best = [-Infinity, Math.floor(width / 2), Math.floor(height / 2)];
  for (let y = Math.floor(0.3 * height); y < 0.7 * height; y++) {
    for (let x = Math.floor(0.3 * width); x < 0.7 * width; x++) {
      const far = ((y - down) ** 2 + (x - along) ** 2) / near ** 2;
      const light = (values[y * width + x] - sky[band]) * Math.exp(-0.5 * far);
      if (light > best[0]) best = [light, x, y];
    }
  }
  return [best[1], best[2]];
}

function stageSize() {
  const canvas = $("sky");
  return [canvas.clientWidth, canvas.clientHeight];
}

function fit() {
  const [height, width] = view.subject.shape;
  [view.x, view.y] = [(width - 1) / 2, (height - 1) / 2];
  view.zoom = view.fitted = fitting(view, ...stageSize());
}

// Draw again, once before the next frame: the "sky", what the "look" changes too, or "all".
let parts = new Set();
function changed(...what) {
  what.forEach((each) => parts.add(each));
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    const [now, all] = [parts, parts.has("all")];
    [parts, asked] = [new Set(), false];
    if (!view || $("viewer").hidden) return;
    const { context, width, height } = sized($("sky"));
    drawStage(context, view, width, height, window.devicePixelRatio || 1);
    $("split").disabled = view.mode !== "slider";
    $("pair").classList.toggle("off", view.mode === "panels");
    $("split").value = String(Math.round(1000 * view.split));
    choose($("modes"), view.mode);
    if (all || now.has("cursor")) showReadout(view);
    if (all || now.has("look")) showLimits(view);
    if (all || now.has("plot")) showPlot(view);
    if (all || now.has("zoom")) showStars(view);
  });
}

function setMode(mode) {
  view.mode = mode;
  view.blinked = true;
  fit();
  changed("zoom");
}

function setBand(band) {
  view.look.band = band === "colour" ? band : Number(band);
  $("band").value = String(band);
  changed("all");
}

function zoomBy(factor, left, top) {
  const [width, height] = stageSize();
  const at = partAt(partsOf(view, width, height), left ?? width / 2, top ?? height / 2);
  const { rect } = left === undefined ? { rect: partsOf(view, width, height)[0].rect } : at;
  const place = left === undefined ? [view.x, view.y] : toPixel(view, rect, left, top);
  const least = 0.5 * fitting(view, width, height);
  const zoom = Math.min(Math.max(view.zoom * factor, least), 64);
  const share = view.zoom / zoom;
  view.x = place[0] + (view.x - place[0]) * share;
  view.y = place[1] + (view.y - place[1]) * share;
  view.zoom = zoom;
  changed("zoom");
}

function setCursor(x, y) {
  const [height, width] = view.subject.shape;
  const [column, row] = [Math.round(x), Math.round(y)];
  const inside = column >= 0 && row >= 0 && column < width && row < height;
  view.cursor = inside ? [column, row] : null;
  changed("cursor");
}

function setCutting(on) {
  $("cut").setAttribute("aria-pressed", String(on));
  $("sky").classList.toggle("cutting", on);
  if (!on && view.line) {
    view.line = null;
    changed("plot");
  }
}

const cutting = () => $("cut").getAttribute("aria-pressed") === "true";

function startViewer() {
  radios($("modes"), MODES.map(([value, text, key]) => [value, text, `${text} (${key})`]), setMode);
  radios($("kinds"), KINDS, (kind) => { view.look.kind = kind; changed("look"); });
  followPointers($("sky"));
  followLimits($("histogram"));
  const on = (id, name, act) => $(id).addEventListener(name, act);
  on("split", "input", () => { view.split = Number($("split").value) / 1000; changed("sky"); });
  on("first", "change", () => { view.first = $("first").value; changed("sky"); });
  on("second", "change", () => { view.second = $("second").value; changed("sky"); });
  on("band", "change", () => setBand($("band").value));
  on("marks", "change", () => { view.marks = $("marks").value; changed("sky"); });
  on("closer", "click", () => zoomBy(1.5));
  on("further", "click", () => zoomBy(1 / 1.5));
  on("fit", "click", () => { fit(); changed("zoom"); });
  on("cut", "click", () => setCutting(!cutting()));
  on("invert", "change", () => { view.look.inverted = $("invert").checked; changed("look"); });
  on("auto", "click", () => {
    [view.look.black, view.look.white] = [view.subject.black, view.subject.white];
    changed("look");
  });
  for (const id of ["black", "white"]) {
    on(id, "input", () => {
      const value = $(id).valueAsNumber;
      const sound = id === "black" ? value < view.look.white : value > view.look.black;
      $(id).setAttribute("aria-invalid", String(!sound));
      if (sound) view.look[id] = value;
      changed("look");
    });
  }
  setInterval(() => {
    if (view?.mode !== "blink" || view.paused || $("viewer").hidden) return;
    view.blinked = !view.blinked;
    changed("sky");
  }, BLINK);
  new ResizeObserver(() => {
    if (!view) return;
    // All of it was seen, and is to be.
    if (view.zoom === view.fitted || view.zoom < 1.02 * fitting(view, ...stageSize())) fit();
    changed("all");
  }).observe($("sky"));
}
