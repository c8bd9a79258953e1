// The board: drag, and its twin on the keyboard.  The server answers with the board as it now stands.
import htmx from "../vendor/htmx.js";
import { csrfToken, each, isBusyElsewhere, isTyping } from "./page.js";
import { openDialog } from "./dialogs.js";
import { showToast } from "./toasts.js";

const board = () => document.getElementById("board");
const lanes = () => [...board().querySelectorAll("[data-lane]")];
const lost = document.getElementById("lost");
let backHome;

async function send(fields) {
  const focused = fields.get("record");
  const answer = await fetch(board().dataset.board, {
    method: "POST", body: fields, headers: { "HX-Request": "true", "X-CSRF-Token": csrfToken() } });
  const text = await answer.text();
  if (answer.redirected) { location.href = answer.url; return; }
  if (answer.headers.get("HX-Refresh")) { location.reload(); return; }
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("board");
  if (fresh) {
    board().replaceWith(fresh);
    htmx.process(fresh);
    prepare(fresh);
    fresh.querySelector(`[data-card="${CSS.escape(focused)}"]`)?.focus();
  } else backHome?.();
  const trigger = answer.headers.get("HX-Trigger");
  const toast = trigger?.startsWith("{") ? JSON.parse(trigger).toast : null;
  if (toast) showToast(toast);
  backHome = undefined;
}

function move(card, to) {
  const target = lanes().find((lane) => lane.dataset.lane === to);
  const fields = new URLSearchParams(new URL(location.href).searchParams);
  for (const [name, value] of Object.entries({ record: card.dataset.card, version: card.dataset.version, to })) fields.set(name, value);
  if (target?.dataset.asks !== undefined && lost) {
    const form = lost.querySelector("form");
    for (const name of ["record", "version", "to"]) form.elements.namedItem(name).value = fields.get(name);
    lost.querySelector("[data-lost-name]").textContent = card.getAttribute("aria-label");
    openDialog(lost);
  } else send(fields);
}

const mayMove = (card, to) => card.dataset.moves.split(" ").includes(to);

lost?.addEventListener("close", () => { backHome?.(); backHome = undefined; });
lost?.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(event.target));
  const undo = backHome;
  backHome = undefined;
  lost.close();
  backHome = undo;
  send(fields);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.moveMenu === undefined || !event.submitter) return;
  event.preventDefault();
  form.hidePopover?.();
  move(form.closest("[data-card]"), event.submitter.value);
});

document.addEventListener("keydown", (event) => {
  const card = event.target instanceof Element && event.target.matches("[data-card]") ? event.target : null;
  if (!card || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isBusyElsewhere()) return;
  const all = lanes();
  const at = all.indexOf(card.closest("[data-lane]"));
  const outcome = { w: "won", l: "lost" }[event.key.toLowerCase()];
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  let to;
  if (outcome) to = all.find((lane) => lane.dataset.outcome === outcome)?.dataset.lane;
  else if (step) {
    for (let i = at + step; i >= 0 && i < all.length && !to; i += step) if (mayMove(card, all[i].dataset.lane)) to = all[i].dataset.lane;
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const sibling = event.key === "ArrowDown" ? card.nextElementSibling : card.previousElementSibling;
    sibling?.focus();
    return;
  } else if (event.key === "Enter") { location.href = card.dataset.url; return; }
  if (to && mayMove(card, to)) { event.preventDefault(); move(card, to); }
});

async function prepare(element) {
  const { default: Sortable } = await import("../vendor/sortable.js");
  const bar = document.querySelector("[data-drop-bar]");
  for (const list of element.querySelectorAll("[data-lane-list]")) {
    Sortable.create(list, {
      group: { name: "board", put: (to, from, card) => to === from || mayMove(card, to.el.closest("[data-lane]").dataset.lane) },
      draggable: "[data-card]", animation: 120, delay: 150, delayOnTouchOnly: true, sort: false, filter: ".deal__menu, .pop", preventOnFilter: false,
      onStart: ({ item }) => {
        if (!bar) return;
        bar.hidden = false;
        bar.querySelector("[data-moving]").textContent = item.getAttribute("aria-label");
      },
      onEnd: ({ item, from, to, oldIndex, originalEvent }) => {
        if (bar) bar.hidden = true;
        const home = () => from.insertBefore(item, from.children[oldIndex] ?? null);
        const under = originalEvent && document.elementFromPoint(originalEvent.clientX, originalEvent.clientY)?.closest("[data-drop]");
        const lane = under?.dataset.drop ?? (to !== from ? to.closest("[data-lane]").dataset.lane : null);
        if (!lane || !mayMove(item, lane)) return;
        backHome = home;
        move(item, lane);
      },
    });
  }
}

each("#board", "ready", prepare);
