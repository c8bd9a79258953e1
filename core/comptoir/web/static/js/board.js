// The board: drag, and its twin on the keyboard.  The server answers with the board as it now stands.
import htmx from "../vendor/htmx.js";
import { each, isBusyElsewhere, isTyping } from "./page.js";
import { fetchDialog } from "./dialogs.js";
import { placeBeside } from "./popovers.js";
import { send as post, toastOf } from "./send.js";
import { showToast } from "./toasts.js";

const board = () => document.getElementById("board");
const lanes = () => [...board().querySelectorAll("[data-lane]")];
const menu = document.getElementById("move-menu");
let backHome;

function goHome() {
  backHome?.();
  backHome = undefined;
}

/** Asks for a move; the answer is the board, or the form of what the move asks for. */
async function send(fields, dialog) {
  const focused = fields.get("record");
  const answer = await post(board().dataset.board, fields, { "HX-Request": "true" });
  if (!answer) { goHome(); return; }
  if (answer.redirected) { location.href = answer.url; return; }
  if (answer.headers.get("HX-Refresh")) { location.reload(); return; }
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = found.getElementById("board"), form = found.getElementById("ask-form");
  const toast = toastOf(answer);
  if (toast) showToast(toast);
  if (form && dialog?.open) {
    dialog.querySelector("form").replaceWith(form);
    form.querySelector("[aria-invalid=true]")?.focus();
    return;
  }
  if (fresh) {
    backHome = undefined;
    board().replaceWith(fresh);
    htmx.process(fresh);
    prepare(fresh);
  } else goHome();
  dialog?.close();
  board().querySelector(`[data-card="${CSS.escape(focused)}"]`)?.focus();
}

function fieldsOf(card, to) {
  const fields = new URLSearchParams(new URL(location.href).searchParams);
  for (const [name, value] of Object.entries({ record: card.dataset.card, version: card.dataset.version, to })) fields.set(name, value);
  return fields;
}

async function move(card, to) {
  const fields = fieldsOf(card, to);
  if (lanes().find((lane) => lane.dataset.lane === to)?.dataset.asks === undefined) { send(fields); return; }
  const dialog = await fetchDialog(`${card.dataset.url}/move?to=${encodeURIComponent(to)}`, "dlg--narrow");
  if (!dialog) { showToast({ text: document.body.dataset.offline, tone: "bad" }); goHome(); return; }
  dialog.addEventListener("close", goHome);
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    for (const [name, value] of new FormData(event.target)) if (name !== "next" && name !== "csrf_token") fields.set(name, value);
    send(fields, dialog);
  });
}

const mayMove = (card, to) => card.dataset.moves.split(" ").includes(to);

// One menu serves every card -------------------------------------------------------------------------------------

let chosen;

document.addEventListener("click", (event) => {
  const opener = event.target instanceof Element ? event.target.closest("[data-move-card]") : null;
  if (!opener || !menu) return;
  event.preventDefault();
  chosen = opener.closest("[data-card]");
  for (const button of menu.querySelectorAll("button")) button.hidden = !mayMove(chosen, button.value);
  menu.showPopover();
  placeBeside(menu, opener);
  menu.querySelector("button:not([hidden])")?.focus();
});

menu?.addEventListener("submit", (event) => {
  event.preventDefault();
  menu.hidePopover();
  move(chosen, event.submitter.value);
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
      draggable: "[data-card]", animation: 120, delay: 150, delayOnTouchOnly: true, sort: false, filter: ".deal__menu", preventOnFilter: false,
      onStart: ({ item }) => {
        if (!bar) return;
        bar.hidden = false;
        bar.querySelector("[data-moving]").textContent = item.getAttribute("aria-label");
      },
      onEnd: ({ item, from, to, oldIndex, originalEvent }) => {
        if (bar) bar.hidden = true;
        const home = () => from.insertBefore(item, from.children[oldIndex] ?? null);
        const spot = originalEvent && document.elementFromPoint(originalEvent.clientX, originalEvent.clientY);
        const over = spot?.closest("[data-lane]") ?? (to !== from ? to.closest("[data-lane]") : null);  // a fast hand is ahead of the card
        const lane = spot?.closest("[data-drop]")?.dataset.drop ?? over?.dataset.lane;
        if (!lane || lane === from.closest("[data-lane]").dataset.lane || !mayMove(item, lane)) { home(); return; }
        backHome = home;
        move(item, lane);
      },
    });
  }
}

each("#board", "ready", prepare);
