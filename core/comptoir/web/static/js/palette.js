// Search, jump, act: Ctrl K.  Pages come from the rail, records from the server.
import { isTyping } from "./page.js";
import { openDialog } from "./dialogs.js";

const palette = document.getElementById("palette");
const input = palette?.querySelector("input");
const hits = document.getElementById("palette-hits");
let running;

function pages(words) {
  const seen = new Set();
  return [...document.querySelectorAll(".rail a.nav")].filter((link) => {
    const label = link.title.toLocaleLowerCase();
    if (seen.has(link.href) || !words.every((word) => label.includes(word))) return false;
    return seen.add(link.href);
  }).slice(0, 6);
}

function entry(link) {
  const item = document.createElement("a");
  item.className = "mi mi--hit";
  item.setAttribute("role", "option");
  item.tabIndex = -1;
  item.href = link.href;
  const icon = link.querySelector(".i")?.cloneNode(true);
  if (icon) item.append(icon);
  const label = document.createElement("span");
  label.className = "grow trunc";
  label.textContent = link.title;
  item.append(label);
  return item;
}

function choose(step) {
  const items = [...hits.querySelectorAll("a.mi")];
  if (!items.length) return;
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

function caption(text) {
  const line = document.createElement("p");
  line.className = "mi-cap";
  line.setAttribute("role", "presentation");
  line.textContent = text;
  return line;
}

function addPages(text) {
  const found = pages(text.toLocaleLowerCase().split(/\s+/).filter(Boolean));
  if (found.length) hits.append(caption(hits.dataset.pagesLabel), ...found.map(entry));
  else if (text && !hits.querySelector("a.mi")) hits.append(caption(hits.dataset.empty));
  choose(0);
}

async function search() {
  running?.abort();
  running = new AbortController();
  const text = input.value.trim();
  if (text.length < 2) { hits.replaceChildren(); addPages(text); return; }
  try {
    const answer = await fetch(`/search?q=${encodeURIComponent(text)}`, { headers: { "HX-Request": "true" }, signal: running.signal });
    hits.innerHTML = answer.ok ? await answer.text() : "";
    addPages(text);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

if (palette) {
  let timer;
  const open = () => { openDialog(palette); input.select(); search(); };
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 120); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { event.preventDefault(); choose(1); }
    if (event.key === "ArrowUp") { event.preventDefault(); choose(-1); }
    if (event.key === "Enter") {
      const chosen = hits.querySelector("a.is-on");
      if (!chosen) return;
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) window.open(chosen.href, "_blank", "noopener");
      else chosen.click();
    }
  });
  document.addEventListener("click", (event) => { if (event.target instanceof Element && event.target.closest("[data-open-palette]")) open(); });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); open(); }
    if (event.key === "?" && !isTyping(event.target)) openDialog(document.getElementById("shortcuts"));
  });
}
