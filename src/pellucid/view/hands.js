// What pointers and keys do to the viewer.

// ---- the pointer: one moves, two zoom; the slider's line and a cut are dragged

function followPointers(canvas) {
  const pointers = new Map();
  let drag = null;
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const pixelAt = ([left, top]) => {
    const { rect } = partAt(partsOf(view, ...stageSize()), left, top);
    return toPixel(view, rect, left, top);
  };
  canvas.addEventListener("pointerdown", (event) => {
    const at = where(event);
    canvas.setPointerCapture(event.pointerId);
    setCursor(...pixelAt(at));
    pointers.set(event.pointerId, at);
    if (pointers.size > 1) drag = "pinch";
    else if (cutting()) {
      drag = "cut";
      view.line = [pixelAt(at), pixelAt(at)];
    } else {
      const reach = event.pointerType === "touch" ? 26 : 14;
      const near = Math.abs(at[0] - view.split * stageSize()[0]) < reach;
      drag = view.mode === "slider" && near ? "split" : "pan";
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!view) return;
    const at = where(event);
    const before = pointers.get(event.pointerId);
    const [width] = stageSize();
    if (!before) {
      const near = view.mode === "slider" && Math.abs(at[0] - view.split * width) < 14;
      canvas.classList.toggle("grips", near && !cutting());
      setCursor(...pixelAt(at));
      return;
    }
    if (drag === "pinch") pinch(pointers, event.pointerId, at);
    pointers.set(event.pointerId, at);
    if (drag === "split") view.split = Math.min(Math.max(at[0] / width, 0), 1);
    if (drag === "cut") view.line[1] = pixelAt(at);
    if (drag === "pan") {
      view.x -= (at[0] - before[0]) / view.zoom;
      view.y += (at[1] - before[1]) / view.zoom;
    }
    changed(drag === "cut" ? "plot" : "sky");
    if (drag !== "split") setCursor(...pixelAt(at));
  });
  const ended = (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size && drag === "cut") {
      const [[x1, y1], [x2, y2]] = view.line;
      if (Math.hypot(x2 - x1, y2 - y1) < 2) view.line = null;
      changed("plot");
    }
    drag = pointers.size ? "pan" : null;
  };
  canvas.addEventListener("pointerup", ended);
  canvas.addEventListener("pointercancel", ended);
  canvas.addEventListener("pointerleave", () => {
    if (view && !pointers.size) setCursor(NaN, NaN);
  });
  canvas.addEventListener("dblclick", (event) => {
    view.centre = pixelAt(where(event)).map(Math.round);
    view.line = null;
    changed("plot");
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...where(event));
    },
    { passive: false },
  );
}

function pinch(pointers, moved, at) {
  const before = pointers.get(moved);
  const other = [...pointers].find(([id]) => id !== moved)?.[1];
  if (!other) return;
  const distance = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
  view.x -= (at[0] - before[0]) / 2 / view.zoom;
  view.y += (at[1] - before[1]) / 2 / view.zoom;
  zoomBy(distance(at) / Math.max(distance(before), 1), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
}

function followLimits(canvas) {
  let held = null;
  const move = (event) => {
    const x = event.clientX - canvas.getBoundingClientRect().left;
    if (!held) return;
    const level = view.histogram.level(Math.min(Math.max(x, 0), canvas.clientWidth));
    if (held === "black") view.look.black = Math.min(level, view.look.white - 0.1);
    else view.look.white = Math.max(level, view.look.black + 0.1);
    changed("look");
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held = view.histogram.nearer(event.clientX - canvas.getBoundingClientRect().left);
    move(event);
  });
  canvas.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (held = null));
}

// ---- the keyboard

const KEYS = [
  ["S  B  A", "Slider, blink, all panels"],
  ["[  ]", "Move the slider"],
  ["Space", "Hold or go on blinking; in the slider, exchange both"],
  ["Enter", "The profile is about the pointer; of a cut, its next end"],
  ["C", "Next band, or colour"],
  ["M", "Next mark"],
  ["1  2  3", "asinh, linear, log"],
  ["I", "Inverted"],
  ["+  −  0", "Closer, further, all of it"],
  ["← ↑ → ↓", "Move the pointer by a pixel; with Shift the view"],
  ["X", "Draw a cut; Esc ends it"],
  ["N  P", "Next and previous object"],
  ["Esc", "All objects"],
  ["T", "Dark or light"],
];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function next(select) {
  select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
  select.dispatchEvent(new Event("change"));
}

function pressed(event) {
  const { key } = event;
  const arrow = ARROWS[key];
  if (arrow) {
    if (document.activeElement !== $("sky") && document.activeElement !== document.body) return false;
    const step = event.shiftKey ? 40 / view.zoom : 1;
    if (event.shiftKey) [view.x, view.y] = [view.x + step * arrow[0], view.y + step * arrow[1]];
    else {
      const [x, y] = view.cursor ?? view.centre;
      setCursor(x + arrow[0], y + arrow[1]);
    }
    changed("sky");
    return true;
  }
  const does = {
    s: () => setMode("slider"),
    b: () => setMode("blink"),
    a: () => setMode("panels"),
    "[": () => { view.split = Math.max(0, view.split - 0.05); },
    "]": () => { view.split = Math.min(1, view.split + 0.05); },
    " ": hold,
    enter: mark,
    c: () => next($("band")),
    m: () => next($("marks")),
    i: () => { view.look.inverted = !view.look.inverted; changed("look"); },
    "+": () => zoomBy(1.25),
    "=": () => zoomBy(1.25),
    "-": () => zoomBy(0.8),
    0: () => { fit(); changed("zoom"); },
    x: () => setCutting(!cutting()),
  }[key.toLowerCase()];
  const kind = KINDS["123".indexOf(key)];
  if (kind && "123".includes(key)) {
    view.look.kind = kind[0];
    changed("look");
    return true;
  }
  does?.();
  if (does) changed("sky");
  return Boolean(does);
}

// What a double click does to the profile, and a drag to a cut.
function mark() {
  const at = view.cursor ?? view.centre;
  if (!cutting()) view.centre = at;
  else if (view.line && view.half) view.line = [view.line[0], at];
  else view.line = [at, at];
  view.half = cutting() && !view.half;
  changed("plot");
}

function hold() {
  if (view.mode === "blink") {
    if (STILL.matches) view.blinked = !view.blinked;
    else view.paused = !view.paused;
  } else [view.first, view.second] = [view.second, view.first];
  [$("first").value, $("second").value] = [view.first, view.second];
}
