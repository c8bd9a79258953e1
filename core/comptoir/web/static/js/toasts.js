// Short answers at the foot of the page.  The server sends them in the page, or with HX-Trigger: {"toast": {…}}.
import { csrfToken } from "./page.js";

const LIFE = 8000;

function age(toast) {
  let timer = setTimeout(() => toast.remove(), LIFE);
  toast.addEventListener("pointerenter", () => clearTimeout(timer));
  toast.addEventListener("pointerleave", () => { timer = setTimeout(() => toast.remove(), LIFE / 2); });
  toast.addEventListener("focusin", () => clearTimeout(timer));
}

export function showToast({ text, undo_url: undoUrl, undo_fields: undoFields = [], tone = "" }) {
  const toast = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  toast.firstElementChild.textContent = text;
  toast.classList.toggle("toast--bad", tone === "bad");
  const form = toast.querySelector("form");
  if (undoUrl) {
    form.hidden = false;
    form.action = undoUrl;
    for (const [name, value] of [...undoFields, ["csrf_token", csrfToken()]]) {
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name, value });
      form.prepend(input);
    }
  }
  document.getElementById("toasts").append(toast);
  age(toast);
}

document.querySelectorAll("[data-toast]").forEach(age);
document.addEventListener("toast", (event) => showToast(event.detail));
document.addEventListener("click", (event) => {
  if (event.target instanceof Element && event.target.closest("[data-close-toast]")) event.target.closest("[data-toast]").remove();
});
document.addEventListener("htmx:error", () => {
  const text = document.documentElement.lang && document.body.dataset.offline;
  if (text) showToast({ text, tone: "bad" });
});
