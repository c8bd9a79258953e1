// Lists: filters that apply at once, selection, the row cursor, columns to choose, finding in what is shown.
import { each, isBusyElsewhere, isTyping } from "./page.js";

// Filters ----------------------------------------------------------------------------------------------------

document.addEventListener("change", (event) => {
  const field = event.target;
  const form = field.form;
  if (form?.dataset.filter !== undefined && field.name !== "q") form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  if (event.target.dataset.filter === undefined) return;
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});

// Finding in what is shown -----------------------------------------------------------------------------------

document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.dataset?.find === undefined) return;
  const words = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const items = field.dataset.find ? document.querySelectorAll(field.dataset.find) : field.closest("form").querySelectorAll("[data-label]");
  for (const item of items) {
    const text = (item.dataset.findText ?? item.dataset.label).toLocaleLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
  }
});

// Selection --------------------------------------------------------------------------------------------------

const boxes = () => [...document.querySelectorAll('[data-list] input[name="ids"]')];
let lastBox;

function count() {
  const chosen = boxes().filter((box) => box.checked);
  boxes().forEach((box) => box.closest("tr").classList.toggle("is-sel", box.checked));
  const label = document.querySelector("[data-selected]");
  if (label) label.textContent = chosen.length === 1 ? label.dataset.one : label.dataset.many.replace("{n}", chosen.length);
  const all = document.querySelector("[data-select-all]");
  if (all) {
    all.checked = chosen.length > 0 && chosen.length === boxes().length;
    all.indeterminate = chosen.length > 0 && !all.checked;
  }
}

function select(box, checked, extend) {
  const all = boxes();
  const [from, to] = extend && lastBox ? [all.indexOf(lastBox), all.indexOf(box)].sort((a, b) => a - b) : [all.indexOf(box), all.indexOf(box)];
  all.slice(from, to + 1).forEach((each) => { each.checked = checked; });
  lastBox = box;
  count();
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const box = target?.closest('[data-list] input[name="ids"]');
  if (box) select(box, box.checked, event.shiftKey);
  if (target?.closest("[data-select-all]")) { boxes().forEach((b) => { b.checked = target.checked; }); count(); }
  if (target?.closest("[data-clear]")) { boxes().forEach((b) => { b.checked = false; }); count(); }
  const row = target?.closest("tr[data-row]");
  if (row && !target.closest("a, button, input, label, select")) {
    if (matchMedia("(max-width: 640px)").matches) location.href = row.dataset.row;
    else put(row);
  }
});

// The cursor -------------------------------------------------------------------------------------------------

const rows = () => [...document.querySelectorAll("tr[data-row]")];
const current = () => document.querySelector("tr.is-cursor");

function put(row) {
  current()?.classList.remove("is-cursor");
  row?.classList.add("is-cursor");
  row?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isBusyElsewhere()) return;
  if (event.key === "/") {
    const filter = document.querySelector(".facets input:not([type=hidden]), [data-find]");
    if (filter) { event.preventDefault(); filter.focus(); }
    return;
  }
  const deed = { e: "E", n: "N" }[event.key];
  const keyed = deed && [...document.querySelectorAll(`[data-key="${deed}"]`)].find((e) => e.offsetParent !== null);
  if (keyed) { event.preventDefault(); keyed.click(); return; }
  const table = document.querySelector("[data-list]");
  if (!table || event.target.closest?.("a, button, [data-card]")) return;
  const all = rows();
  const at = all.indexOf(current());
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (step) { event.preventDefault(); put(all[Math.max(0, Math.min(all.length - 1, at + step))]); }
  else if (event.key === "Enter" && at >= 0) location.href = all[at].dataset.row;
  else if (event.key.toLowerCase() === "x" && at >= 0) {
    const box = all[at].querySelector('input[name="ids"]');
    if (box) select(box, !box.checked, event.shiftKey);
  } else if (event.key === "n" && table.dataset.new) location.href = table.dataset.new;
});

count();

// Columns ----------------------------------------------------------------------------------------------------

each("[data-sortable]", "ready", async (list) => {
  const { default: Sortable } = await import("../vendor/sortable.js");
  Sortable.create(list, { handle: ".grip", animation: 120 });
  list.addEventListener("keydown", (event) => {
    const grip = event.target.closest?.(".grip");
    const item = grip?.closest("li");
    if (!item || !event.altKey) return;
    const other = event.key === "ArrowUp" ? item.previousElementSibling : event.key === "ArrowDown" ? item.nextElementSibling : null;
    if (!other) return;
    event.preventDefault();
    if (event.key === "ArrowUp") other.before(item); else other.after(item);
    grip.focus();
  });
});

// The way from record to record -------------------------------------------------------------------------------

const TRAIL = "comptoir-trail";
if (rows().length) sessionStorage.setItem(TRAIL, JSON.stringify(rows().map((row) => row.dataset.row)));

const neighbours = document.querySelector("[data-neighbours]");
if (neighbours) {
  const trail = JSON.parse(sessionStorage.getItem(TRAIL) ?? "[]");
  const at = trail.indexOf(location.pathname);
  const place = neighbours.querySelector("[data-place]");
  place.textContent = place.dataset.place.replace("{n}", at + 1).replace("{all}", trail.length);
  for (const [rel, url] of [["prev", trail[at - 1]], ["next", trail[at + 1]]]) {
    const link = neighbours.querySelector(`[rel=${rel}]`);
    if (url) link.href = url;
    else link.hidden = true;
  }
  neighbours.hidden = at < 0;
}
