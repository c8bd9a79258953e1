// The way back leads to where one was: each part that scrolls stands as it stood, and the row one came from is marked.
import { userId } from "./page.js";

const KEY = "comptoir:place";
const SIGNED_OUT = "signed-out-at";
const parts = () => [...document.querySelectorAll(".scroll, .rec__l, .rec, .lane__list, .board")];
const here = () => `${location.pathname}${location.search}`;

function places() {
  try { return JSON.parse(sessionStorage.getItem(KEY)) ?? {}; } catch { return {}; }
}

addEventListener("pagehide", () => {
  const kept = places();
  delete kept[here()];
  kept[here()] = { at: parts().map((part) => [part.scrollLeft, part.scrollTop]), row: document.querySelector("tr.is-cursor")?.dataset.row };
  sessionStorage.setItem(KEY, JSON.stringify(Object.fromEntries(Object.entries(kept).slice(-50))));
});

function goBack(place) {
  parts().forEach((part, number) => { [part.scrollLeft, part.scrollTop] = place.at[number] ?? [0, 0]; });
}

const came = performance.getEntriesByType("navigation")[0]?.type;
const place = came === "back_forward" || came === "reload" ? places()[here()] : null;
if (place) {
  goBack(place);
  if (place.row) document.querySelector(`tr[data-row="${CSS.escape(place.row)}"]`)?.classList.add("is-cursor");
  document.addEventListener("htmx:after:swap", () => goBack(place), { once: true });
}

// A page that the browser held is not shown to whoever comes after its person has signed out.
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("action") === "/logout") localStorage.setItem(SIGNED_OUT, String(Date.now()));
});
addEventListener("pageshow", (event) => {
  if (event.persisted && userId() && Number(localStorage.getItem(SIGNED_OUT)) > performance.timeOrigin) {
    document.body.hidden = true;
    location.reload();
  }
});
