// The instruments beside the sky: values under the pointer, limits, stars, what was done in words.

const $ = (id) => document.getElementById(id);

// An element with text in it; text is never markup.
function made(tag, text, properties = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  return Object.assign(element, properties);
}

// Bands that a table of values has room for.
const TOLD = 4;

// A number as it is read: four digits.
function short(value) {
  if (value !== value) return "—";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) return minus(value.toExponential(3));
  return minus(size >= 1000 ? value.toFixed(1) : String(+value.toPrecision(4)));
}

const SPREAD = { uncertainty: "± 1 σ", range95: "± 95 %" };
const minus = (text) => text.replaceAll("-", "−");

// The band of which plots and limits are, where colour shows several: the middle one.
function plotted(view) {
  const { order } = view.subject;
  return view.look.band === "colour" ? order[order.length >> 1] : view.look.band;
}

// Bands whose values are told where colour shows several: all that fit, else the bluest, a middle one, the reddest.
function told(order, mixed) {
  return order.length <= TOLD ? order : [...new Set([mixed[2][0], mixed[1][0], mixed[0].at(-1)])];
}

function showReadout(view) {
  const { subject, layers, cursor } = view;
  const table = $("values");
  const mixed = mixing(subject, view.look.band);
  const bands = mixed ? told(subject.order, mixed) : [view.look.band];
  const [x, y] = cursor ?? view.centre;
  const [text, degrees] = subject.wcs ? placeText(subject.wcs, x, y) : ["no sky coordinates", ""];
  $("place").textContent = text;
  $("pixel").textContent = `pixel ${x + 1}, ${y + 1}${degrees ? "   " + degrees : ""}`;
  const head = made("tr");
  head.append(made("th", subject.unit, { scope: "col", className: "unit" }));
  for (const k of bands) head.append(made("th", subject.bands[k], { scope: "col" }));
  const samples = Object.keys(layers).filter((key) => key.startsWith("sample"));
  const rows = ["input", "restored", ...Object.keys(SPREAD), ...samples, "truth", "residual", "doubt"].filter(
    (key) => layers[key],
  );
  table.replaceChildren(
    head,
    ...rows.map((key) => {
      const row = made("tr");
      const name = made("th", SPREAD[key] ?? layers[key].label, { scope: "row" });
      if (layers[key].width !== layers.restored.width) name.append(made("small", " own pixels"));
      row.append(name);
      for (const k of bands) row.append(made("td", short(valueAt(layers[key], k, x, y))));
      return row;
    }),
  );
}

function showLimits(view) {
  const { look } = view;
  if (document.activeElement !== $("black")) $("black").value = +look.black.toPrecision(3);
  if (document.activeElement !== $("white")) $("white").value = +look.white.toPrecision(3);
  $("invert").checked = look.inverted;
  choose($("kinds"), look.kind);
  view.histogram = drawHistogram($("histogram"), view, plotted(view));
}

function showPlot(view) {
  const k = plotted(view);
  drawPlot($("plot"), view, k);
  const { line, layers, subject } = view;
  $("plot-name").textContent = line ? "Cut from A to B" : "Radial profile";
  $("plot-of").textContent = subject.bands.length > 1 ? subject.bands[k] : "";
  const notes = [];
  if (layers.uncertainty) notes.push("Band: ± 1 σ of a pixel.");
  notes.push(line ? "Esc ends the cut." : "About the small ring; a double click moves it.");
  if (layers.truth?.matched) notes.push("The truth's unit is another, or not known: it is drawn as bright.");
  $("plot-note").textContent = notes.join(" ");
}

function showStars(view) {
  const { subject } = view;
  $("stars").hidden = !subject.psfs.length;
  const figures = subject.psfs.map((psf) => {
    const figure = made("figure");
    const canvas = made("canvas");
    figure.append(canvas, made("figcaption", `${psf.label.replace("A star ", "")} ${psf.fwhm.toFixed(2)}″`));
    drawStar(canvas, view, psf);
    return figure;
  });
  $("psfs").replaceChildren(...figures);
}

// A PSF as large as it is in the sky at the view's scale, in a window of so many pixels.
async function drawStar(canvas, view, psf) {
  const ratio = window.devicePixelRatio || 1;
  const side = 120;
  canvas.width = canvas.height = side * ratio;
  const index = view.look.band === "colour" ? plotted(view) : view.look.band;
  const coded = psf.planes[psf.planes.length > 1 ? index : 0];
  const { width, height, values } = await (coded.decoded ??= decoded(coded));
  const stamp = made("canvas");
  stamp.width = width;
  stamp.height = height;
  const inner = stamp.getContext("2d");
  const image = inner.createImageData(width, height);
  const peak = values.reduce((one, other) => Math.max(one, other), 0);
  for (let p = 0; p < values.length; p++) {
    const grey = (255 * Math.asinh((30 * Math.max(values[p], 0)) / peak)) / Math.asinh(30);
    image.data.set([grey, grey, grey, 255], 4 * p);
  }
  inner.putImageData(image, 0, 0);
  const context = canvas.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const zoom = ratio * view.zoom * (psf.scale / (view.subject.scale || psf.scale));
  context.imageSmoothingEnabled = zoom < 1.5;
  const middle = canvas.width / 2;
  context.setTransform(zoom, 0, 0, -zoom, middle - (zoom * width) / 2, middle + (zoom * height) / 2);
  context.drawImage(stamp, 0, 0);
}

// How a note begins that is a warning.
const AMISS = "warning: ";

function showWords(view) {
  const { subject } = view;
  $("facts").replaceChildren(
    ...subject.facts.flatMap(([term, text]) => {
      const code = term === "Command";
      const detail = made("dd", code ? undefined : text);
      if (code) detail.append(made("code", text));
      return [made("dt", term), detail];
    }),
  );
  // What is amiss stands with the image; the rest is read by who asks.
  const warnings = subject.notes.filter((note) => note.startsWith(AMISS));
  const others = subject.notes.filter((note) => !note.startsWith(AMISS));
  $("warning").textContent = warnings.map((note) => note.slice(AMISS.length)).join(" ");
  $("warning").hidden = !warnings.length;
  $("notes").replaceChildren(...others.map((note) => made("li", note, { dir: "auto" })));
}

// Buttons of which one is chosen, by keyboard as radio buttons are.
function radios(group, choices, chosen) {
  group.replaceChildren(
    ...choices.map(([value, text, title]) => {
      const button = made("button", text, { type: "button", value, title: title ?? "" });
      button.setAttribute("role", "radio");
      button.addEventListener("click", () => chosen(value));
      return button;
    }),
  );
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...group.children];
    const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
    next.focus();
    next.click();
    event.preventDefault();
    event.stopPropagation();
  });
}

function choose(group, value) {
  for (const button of group.children) {
    const on = button.value === value;
    button.setAttribute("aria-checked", String(on));
    button.tabIndex = on ? 0 : -1;
  }
}

function options(select, choices, value) {
  select.replaceChildren(...choices.map(([each, text]) => made("option", text, { value: each })));
  select.value = value;
  select.hidden = choices.length < 2;
}
