// Drafts: what is typed into a form stays in this browser, lines and all, until the server says that it has it.
import { each, userId } from "./page.js";

const MONTH = 30 * 24 * 3600 * 1000;
const PREFIX = "comptoir:draft:";
const mine = () => `${PREFIX}${userId()}:`;
const secret = (field) => field.name === "csrf_token" || field.type === "password" || field.type === "file";
const keyOf = (form) => `${mine()}${form.dataset.draft}${location.search}`;

function read(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}

function write(key, value) {
  try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* the browser keeps nothing: the page still works */ }
}

const fieldsOf = (form) => [...form.elements].filter((field) => field.name && field.type !== "submit" && field.type !== "button" && !secret(field));
const isBox = (field) => field.type === "checkbox" || field.type === "radio";
const valuesOf = (form) => fieldsOf(form).filter((field) => !isBox(field) || field.checked).map((field) => [field.name, field.value]);
const indexOf = (name, set) => (name.startsWith(`${set}[`) ? name.slice(set.length + 1, name.indexOf("]")) : null);

/** The copy of a set's empty line, under its own index. */
export function newLine(set, index) {
  const line = set.querySelector("[data-line-template]").content.firstElementChild.cloneNode(true);
  for (const part of line.querySelectorAll("[name], [id], [aria-controls]")) {
    if (part.name) part.name = part.name.replace("__new__", index);
    if (part.id) part.id = part.id.replace("__new__", index);
    if (part.hasAttribute("aria-controls")) part.setAttribute("aria-controls", part.getAttribute("aria-controls").replace("__new__", index));
  }
  set.querySelector("[data-line-list]").append(line);
  return line;
}

/** The lines of a draft: those that it has and the form lacks are added, those that were taken out go again. */
function restoreLines(form, kept) {
  let changed = false;
  for (const set of form.querySelectorAll("[data-lines]")) {
    const name = set.dataset.lines;
    const wanted = new Set(kept.map(([field]) => indexOf(field, name)).filter((index) => index !== null));
    const there = new Set();
    for (const line of set.querySelectorAll("[data-line]")) {
      const index = indexOf(line.querySelector("[name]").name, name);
      if (wanted.has(index)) there.add(index);
      else { line.remove(); changed = true; }
    }
    for (const index of wanted) if (!there.has(index)) { newLine(set, index); changed = true; }
  }
  return changed;
}

function restore(form, kept) {
  let changed = restoreLines(form, kept);
  const left = new Map();
  for (const [name, value] of kept) left.set(name, [...(left.get(name) ?? []), value]);
  for (const field of fieldsOf(form)) {
    const values = left.get(field.name);
    if (isBox(field)) {
      const checked = Boolean(values?.includes(field.value));
      if (checked !== field.checked) { field.checked = checked; changed = true; }
    } else if (values?.length) {
      const value = values.shift();
      if (field.value !== value) { field.value = value; changed ||= field.name !== "version"; }
    }
  }
  return changed;
}

function tell(form, note) {
  const drop = document.createElement("button");
  drop.type = "button";
  drop.className = "link";
  drop.textContent = form.dataset.draftDrop;
  drop.addEventListener("click", () => { forget(form); location.reload(); });
  note.replaceChildren(`${form.dataset.draftNote} `, drop);
  note.hidden = false;
}

/** The server has it: the draft is no longer needed. */
export function forget(form) {
  if (form.dataset.draft === undefined) return;
  form.dispatchEvent(new CustomEvent("comptoir:sent"));
  localStorage.removeItem(keyOf(form));
}

export function keep(form) {
  if (form.dataset.draft !== undefined) write(keyOf(form), { at: Date.now(), values: valuesOf(form) });
}

/** Whoever signs out on purpose leaves nothing behind. */
export function forgetAll() {
  for (const key of Object.keys(localStorage)) if (key.startsWith("comptoir:")) localStorage.removeItem(key);
}

for (const key of Object.keys(localStorage)) {
  if (key.startsWith(PREFIX) && Date.now() - (read(key)?.at ?? 0) > MONTH) localStorage.removeItem(key);
}

each("form[data-draft]", "kept", (form) => {
  const note = form.querySelector("[data-form-state]");
  const failed = form.querySelector("[data-errors], [aria-invalid=true]") !== null;
  // what the server sent back was not saved: it is no state to return to
  const pristine = failed ? null : JSON.stringify(valuesOf(form));
  const kept = failed ? null : read(keyOf(form));
  if (kept?.values && restore(form, kept.values)) {
    form.dataset.restored = "1";
    if (note) tell(form, note);
  }
  let timer;
  const changed = () => {
    clearTimeout(timer);
    timer = undefined;
    if (JSON.stringify(valuesOf(form)) === pristine) forget(form);
    else keep(form);
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(changed, 300); });
  form.addEventListener("change", changed);
  form.addEventListener("comptoir:sent", () => { clearTimeout(timer); timer = undefined; });
  addEventListener("pagehide", () => { if (timer !== undefined) changed(); });
});

document.addEventListener("submit", (event) => { if (event.target.getAttribute("action") === "/logout") forgetAll(); });
