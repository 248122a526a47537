// Many objects: cards or a table, sorted, and drawn when they scroll into view.

const HEADS = { name: "Name", doubt: "Doubt", chi2: "χ²", unlike: "Unusual form", psf: "PSF ″" };
const EXPLAINED = 2; // χ² above which a warning is of it
const sorting = { by: null, down: true, words: "", table: false };
const drawn = new Map(); // thumbnails by object and layer

const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      waiting.push(target);
      drawNext();
    }
  },
  { rootMargin: "300px" },
);
const waiting = [];
let drawing = false;

// One object a frame, so that scrolling goes on.
async function drawNext() {
  if (drawing) return;
  drawing = true;
  while (waiting.length) {
    const target = waiting.shift();
    if (target.isConnected) await drawThumbnail(target);
    await new Promise((resolve) => setTimeout(resolve));
  }
  drawing = false;
}

async function drawThumbnail(holder) {
  const k = Number(holder.dataset.object);
  if (!drawn.has(k)) {
    const subject = subjectOf(k);
    const keys = ["input", "restored"].filter((key) => subject.layers.some((layer) => layer.key === key));
    const layers = await Promise.all(
      keys.map((key) => opened(subject.layers.find((layer) => layer.key === key))),
    );
    subject.gains = subject.bands.length > 1 ? gainsOf(subject, layers[layers.length - 1]) : [1];
    const band = subject.bands.length > 1 ? "colour" : 0;
    const look = { kind: "asinh", band, black: subject.black, white: subject.white, inverted: false };
    drawn.set(k, layers.map((layer) => picture(layer, subject, look)));
  }
  holder.replaceChildren(
    ...drawn.get(k).map((image) => {
      const canvas = made("canvas", undefined, { width: image.width, height: image.height });
      const context = canvas.getContext("2d");
      context.setTransform(1, 0, 0, -1, 0, image.height);
      context.drawImage(image, 0, 0);
      return canvas;
    }),
  );
  holder.classList.add("drawn");
}

// The places in the index of what is shown, in their order.
function shownOrder() {
  const words = sorting.words.toLowerCase();
  const order = INDEX.map((_, k) => k).filter((k) => INDEX[k].name.toLowerCase().includes(words));
  const { by, down } = sorting;
  if (!by) return order;
  if (by === "name") order.sort((one, other) => INDEX[one].name.localeCompare(INDEX[other].name, undefined, { numeric: true }));
  else {
    // No share of doubted pixels is as bad as a warning.
    const warned = (k) => (by === "doubt" && INDEX[k].warnings?.length ? 1 : 0);
    const value = (k) => (INDEX[k].numbers[by] ?? (down ? -Infinity : Infinity)) + warned(k);
    order.sort((one, other) => value(one) - value(other));
  }
  return down ? order.reverse() : order;
}

const columns = () => [...new Set(INDEX.flatMap(({ numbers }) => Object.keys(numbers)))];
const head = (key) => HEADS[key] ?? key;

// Shares are in percent.
function number(key, value) {
  if (value === undefined) return "—";
  return ["doubt", "unlike"].includes(key) ? `${(100 * value).toFixed(1)} %` : short(value);
}

// What is amiss with it, in a few words.
function warning(k) {
  const { warnings, numbers } = INDEX[k];
  if (!warnings?.length) return [];
  const misfit = numbers.chi2 > EXPLAINED && warnings.some((text) => text.includes("does not explain"));
  const text = misfit ? `⚠ does not explain the image, χ² ${short(numbers.chi2)}` : "⚠ has a warning";
  const title = warnings.map((note) => note.slice(AMISS.length)).join(" ");
  return [made("span", text, { className: "reason", title })];
}

function thumbnail(k) {
  const holder = made("span", undefined, { className: "thumb" });
  holder.dataset.object = String(k);
  if (INDEX[k].at === undefined) holder.classList.add("failed");
  else watcher.observe(holder);
  return holder;
}

function openButton(k, className) {
  const button = made("button", undefined, { type: "button", className });
  button.addEventListener("click", () => openObject(k));
  button.disabled = INDEX[k].at === undefined;
  return button;
}

function card(k) {
  const { name, numbers, reason } = INDEX[k];
  const button = openButton(k, "card");
  const words = made("span", undefined, { className: "words" });
  words.append(made("span", name, { className: "called", dir: "auto", title: name }));
  if (reason) words.append(made("span", reason, { className: "reason", title: reason }));
  else if (numbers.doubt !== undefined) {
    const text = `${(100 * numbers.doubt).toFixed(1)} % doubted`;
    words.append(made("span", text, { className: "doubt number" }));
  }
  words.append(...warning(k));
  button.append(thumbnail(k), words);
  return button;
}

function tableOf(order) {
  const keys = ["name", ...columns()];
  const table = made("table", undefined, { className: "objects" });
  const heads = made("tr");
  heads.append(made("th", "", { className: "look" }));
  for (const key of keys) {
    const cell = made("th", undefined, { scope: "col" });
    const mark = sorting.by === key ? (sorting.down ? " ↓" : " ↑") : "";
    const button = made("button", head(key) + mark, { type: "button", className: "quiet" });
    cell.setAttribute("aria-sort", sorting.by !== key ? "none" : sorting.down ? "descending" : "ascending");
    button.addEventListener("click", () => {
      [sorting.down, sorting.by] = [sorting.by === key ? !sorting.down : key !== "name", key];
      fillGallery();
    });
    cell.append(button);
    heads.append(cell);
  }
  table.append(made("thead"));
  table.firstChild.append(heads);
  const body = made("tbody");
  for (const k of order) {
    const row = made("tr");
    const look = made("td", undefined, { className: "look" });
    const open = openButton(k, "row");
    open.append(thumbnail(k));
    open.setAttribute("aria-label", INDEX[k].name);
    look.append(open);
    const name = made("td", INDEX[k].name, { className: "called", dir: "auto" });
    if (INDEX[k].reason) name.append(made("span", INDEX[k].reason, { className: "reason" }));
    name.append(...warning(k));
    row.append(look, name);
    for (const key of keys.slice(1)) row.append(made("td", number(key, INDEX[k].numbers[key]), { className: "number" }));
    body.append(row);
  }
  table.append(body);
  return table;
}

function fillGallery() {
  const order = shownOrder();
  const holder = $("objects");
  holder.className = sorting.table ? "as-table" : "as-cards";
  holder.replaceChildren(...(sorting.table ? [tableOf(order)] : order.map(card)));
  $("count").textContent = order.length === INDEX.length ? `${order.length} objects` : `${order.length} of ${INDEX.length}`;
  choose($("layouts"), sorting.table ? "table" : "cards");
  $("sorts").value = sorting.by ?? "";
}

function buildGallery() {
  const tools = made("div", undefined, { className: "tools" });
  const words = made("input", undefined, { type: "search", id: "words", placeholder: "Find by name" });
  words.setAttribute("aria-label", "Find by name");
  words.addEventListener("input", () => {
    sorting.words = words.value;
    fillGallery();
  });
  const sorts = made("select", undefined, { id: "sorts" });
  sorts.setAttribute("aria-label", "Sort by");
  options(sorts, [["", "As given"], ...["name", ...columns()].map((key) => [key, `By ${head(key).toLowerCase()}`])], "");
  sorts.addEventListener("change", () => {
    [sorting.by, sorting.down] = [sorts.value || null, sorts.value !== "name"];
    fillGallery();
  });
  const layouts = made("div", undefined, { className: "group", id: "layouts" });
  layouts.setAttribute("role", "radiogroup");
  layouts.setAttribute("aria-label", "Show as");
  radios(layouts, [["cards", "Cards"], ["table", "Table"]], (value) => {
    sorting.table = value === "table";
    fillGallery();
  });
  tools.append(words, sorts, layouts, made("span", "", { id: "count", className: "faint" }));
  $("gallery").append(tools, made("div", undefined, { id: "objects" }));
  sorting.by = columns().includes("doubt") ? "doubt" : null;
}

let scrolled = 0;
const TITLE = document.title;

function openGallery() {
  if (!$("objects")) {
    buildGallery();
    fillGallery();
  }
  $("viewer").hidden = true;
  $("gallery").hidden = false;
  for (const id of ["back", "previous", "next"]) $(id).hidden = true;
  document.title = TITLE;
  $("name").textContent = TITLE;
  $("sub").textContent = "restorations, not measurements";
  const last = document.querySelector(`#gallery [data-object="${current}"]`);
  last?.closest("button")?.focus();
}
