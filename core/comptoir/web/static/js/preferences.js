// Theme, row height and the width of the rail: shown at once, kept by the server.
import { csrfToken, isTyping } from "./page.js";

const ATTRIBUTE = { scheme: "theme", density: "density" };

function keep(name, value) {
  fetch("/preferences", { method: "POST", headers: { "X-CSRF-Token": csrfToken(), "HX-Request": "true" }, body: new URLSearchParams({ [name]: value }) });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.preferences === undefined || !event.submitter) return;
  event.preventDefault();
  const { name, value } = event.submitter;
  const root = document.documentElement;
  if (value) root.dataset[ATTRIBUTE[name]] = value;
  else delete root.dataset[ATTRIBUTE[name]];
  form.querySelectorAll(`[name=${name}]`).forEach((b) => b.setAttribute("aria-pressed", b === event.submitter));
  keep(name, value);
});

document.addEventListener("keydown", (event) => {
  const app = document.querySelector(".app");
  if (event.key !== "[" || isTyping(event.target) || !app || event.ctrlKey || event.metaKey) return;
  const mini = app.dataset.rail === "mini";
  app.dataset.rail = mini ? "" : "mini";
  keep("rail", mini ? "" : "mini");
});
