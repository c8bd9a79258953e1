// Search, jump, act: Ctrl K.  Records come from the server, as do the acts and pages there are; recent ones are kept here.
import { isTyping, userId } from "./page.js";
import { openDialog } from "./dialogs.js";

const palette = document.getElementById("palette");
const input = palette?.querySelector("input");
const hits = document.getElementById("palette-hits");
const RECENT = `comptoir:recent:${userId()}`;
const SHOWN = 6;
let offered;
let running;
let timer;
let isDue = false;
let goOn = null;

// What this browser knows ------------------------------------------------------------------------------------------

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase().trim();

function recent() {
  try { return JSON.parse(localStorage.getItem(RECENT)) ?? []; } catch { return []; }
}

const record = document.querySelector("[data-recent]");
if (record) {
  const here = { url: location.pathname, title: record.dataset.recent };
  const kept = [here, ...recent().filter(({ url }) => url !== here.url)].slice(0, 12);
  try { localStorage.setItem(RECENT, JSON.stringify(kept)); } catch { /* a full store keeps no recents */ }
}

function entry(element, label) {
  element.className = "mi mi--hit";
  element.setAttribute("role", "option");
  element.tabIndex = -1;
  const text = document.createElement("span");
  text.className = "grow trunc";
  text.textContent = label;
  element.append(text);
  return element;
}

const visited = () => recent().filter(({ url }) => url !== location.pathname)
  .map(({ url, title }) => entry(Object.assign(document.createElement("a"), { href: url }), title));

/** What can be done on the page below: its buttons and links, under their own names. */
function deeds() {
  return [...document.querySelectorAll(".rec__acts :is(a, button), .topbar__acts > :is(a, form > button).btn, .stages :is(a, button), .bulk button:not([data-clear])")]
    .filter((element) => element.textContent.trim() && (element.checkVisibility?.() ?? true))
    .map((element) => {
      const made = entry(Object.assign(document.createElement("button"), { type: "button" }), element.textContent.trim());
      made.addEventListener("click", () => { palette.close(); element.click(); });
      return made;
    });
}

/** Acts and pages, which the server tells once. */
async function offers() {
  offered ??= fetch("/search/start", { headers: { "HX-Request": "true" } })
    .then((answer) => (answer.ok ? answer.text() : ""))
    .catch(() => { offered = undefined; return ""; });
  const box = document.createElement("div");
  box.innerHTML = await offered;
  return box;
}

// Showing -----------------------------------------------------------------------------------------------------------

function caption(text) {
  const line = document.createElement("p");
  line.className = "mi-cap";
  line.setAttribute("role", "presentation");
  line.textContent = text;
  return line;
}

function fitting(entries, text) {
  const wanted = fold(text), words = wanted.split(/\s+/).filter(Boolean);
  const ranked = entries.map((element) => {
    const label = fold(element.textContent);
    const fits = words.every((word) => label.split(/\s+/).some((part) => part.startsWith(word)) || (word.length > 2 && label.includes(word)));
    return { element, rank: !fits ? 9 : label === wanted ? 0 : label.startsWith(wanted) ? 1 : 2 };
  });
  return ranked.filter(({ rank }) => rank < 9).sort((a, b) => a.rank - b.rank);
}

/** Groups of what this browser and the frame offer, each with how well it fits. */
function local(text, box) {
  const groups = [[hits.dataset.hereLabel, text ? deeds() : []], [hits.dataset.recentLabel, visited()]];
  for (const head of box.querySelectorAll(".mi-cap")) {
    const entries = [];
    for (let next = head.nextElementSibling; next && !next.matches(".mi-cap"); next = next.nextElementSibling) entries.push(next);
    groups.push([head.textContent, entries]);
  }
  return groups.map(([label, entries]) => ({ label, found: fitting(entries, text).slice(0, SHOWN) })).filter(({ found }) => found.length);
}

function show(text, records, box) {
  const found = document.createElement("div");
  found.innerHTML = records;
  const best = Number(found.querySelector("[data-rank]")?.dataset.rank ?? 9);
  const groups = local(text, box);
  // what the page below offers comes first, then a record that is called so; else what can be done and reads so; then the rest
  const isFirst = ({ label, found: [top] }) => text && top.rank <= 1 && (best > 1 || label === hits.dataset.hereLabel);
  const first = groups.filter(isFirst);
  const rest = groups.filter((group) => !first.includes(group));
  const parts = (some) => some.flatMap(({ label, found: inside }) => [caption(label), ...inside.map(({ element }) => element)]);
  hits.replaceChildren(...parts(first), ...found.childNodes, ...parts(rest));
  if (text && !hits.querySelector(".mi")) hits.append(caption(hits.dataset.empty));
  choose(0);
}

function choose(step) {
  const items = [...hits.querySelectorAll(".mi")];
  if (!items.length) { input.removeAttribute("aria-activedescendant"); return; }
  const at = items.findIndex((item) => item.classList.contains("is-on"));
  const next = step ? items.at((at + step) % items.length) : items[0];
  items.forEach((item, number) => {
    item.id = `hit-${number}`;
    item.classList.toggle("is-on", item === next);
    item.setAttribute("aria-selected", item === next);
  });
  next.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", next.id);
}

function open(newTab) {
  const chosen = hits.querySelector(".mi.is-on");
  if (!chosen) return;
  if (newTab && chosen.href) window.open(chosen.href, "_blank", "noopener");
  else chosen.click();
}

// Asking ------------------------------------------------------------------------------------------------------------

async function search() {
  clearTimeout(timer);
  running?.abort();
  const mine = running = new AbortController();
  const text = input.value.trim();
  try {
    let records = "";
    if (text.length >= 2) {
      const answer = await fetch(`/search?q=${encodeURIComponent(text)}`, { headers: { "HX-Request": "true" }, signal: mine.signal });
      if (answer.status === 401) { location.reload(); return; }
      records = answer.ok ? await answer.text() : "";
    }
    const box = await offers();
    if (mine !== running) return;
    isDue = false;
    show(text, records, box);
    if (goOn) { const { newTab } = goOn; goOn = null; open(newTab); }
  } catch (error) {
    if (error.name === "AbortError") return;
    isDue = false;
    goOn = null;
    hits.replaceChildren(caption(document.body.dataset.offline));
  }
}

if (palette) {
  const begin = () => { openDialog(palette); input.select(); isDue = true; goOn = null; search(); };
  input.addEventListener("input", () => {
    isDue = true;
    goOn = null;
    clearTimeout(timer);
    timer = setTimeout(search, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { event.preventDefault(); choose(1); }
    if (event.key === "ArrowUp") { event.preventDefault(); choose(-1); }
    if (event.key === "Enter") {
      event.preventDefault();
      const newTab = event.ctrlKey || event.metaKey;
      // what is shown may answer what was typed before: whoever is faster than the answer gets its first hit
      if (isDue) { goOn = { newTab }; search(); }
      else open(newTab);
    }
  });
  document.addEventListener("click", (event) => { if (event.target instanceof Element && event.target.closest("[data-open-palette]")) begin(); });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); begin(); }
    if (event.key === "?" && !isTyping(event.target)) openDialog(document.getElementById("shortcuts"));
  });
}
