// What begins: one object is shown at once, of several a gallery.

const TEXTS = document.querySelectorAll("script.subject");
const INDEX = JSON.parse($("index").textContent);
let current = -1;

function subjectOf(k) {
  const subject = JSON.parse(TEXTS[INDEX[k].at].textContent);
  return { ...subject, name: INDEX[k].name };
}

async function openObject(k) {
  current = k;
  $("gallery").hidden = true;
  $("viewer").hidden = false;
  for (const id of ["back", "previous", "next"]) $(id).hidden = INDEX.length < 2;
  scrollTo(0, 0);
  try {
    await show(subjectOf(k));
  } catch (error) {
    fault(`This object cannot be drawn: ${error.message}`);
  }
}

function step(by) {
  const there = shownOrder();
  const place = there.indexOf(current);
  if (place >= 0 && INDEX.length > 1) openObject(there[(place + by + there.length) % there.length]);
}

function fault(text) {
  $("fault").textContent = text;
  $("fault").hidden = false;
}

const DARK = matchMedia("(prefers-color-scheme: dark)");

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  changed("all");
}

function toggleTheme() {
  const now = document.documentElement.dataset.theme ?? (DARK.matches ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
}

function showKeys() {
  const list = made("dl");
  for (const [key, text] of KEYS) list.append(made("dt", key), made("dd", text));
  const close = made("button", "Close", { type: "button" });
  close.addEventListener("click", () => $("keys").close());
  $("keys").replaceChildren(made("h2", "Keys"), list, close);
  $("keys").showModal();
}

function onKey(event) {
  const field = event.target.closest("input:not([type=range]):not([type=checkbox]), select, dialog");
  if (field || event.ctrlKey || event.metaKey || event.altKey) return;
  const viewing = !$("viewer").hidden && view;
  const key = event.key.toLowerCase();
  if (key === "?") showKeys();
  else if (key === "t") toggleTheme();
  else if (viewing && key === "n") step(1);
  else if (viewing && key === "p") step(-1);
  else if (viewing && key === "escape" && cutting()) setCutting(false);
  else if (viewing && key === "escape" && INDEX.length > 1) openGallery();
  else if ([" ", "enter"].includes(key) && event.target.closest("button")) return;
  else if (!viewing || !pressed(event)) return;
  event.preventDefault();
}

function start() {
  if (!CAN_INFLATE) {
    fault("This browser cannot inflate data (DecompressionStream); one of 2023 or later can.");
    return;
  }
  startViewer();
  $("theme").addEventListener("click", toggleTheme);
  $("help").addEventListener("click", showKeys);
  $("back").addEventListener("click", () => openGallery());
  $("next").addEventListener("click", () => step(1));
  $("previous").addEventListener("click", () => step(-1));
  DARK.addEventListener("change", () => changed("all"));
  document.addEventListener("keydown", onKey);
  if (INDEX.length === 1) openObject(0);
  else openGallery();
}

start();
