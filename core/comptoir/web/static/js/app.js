// Starts the small parts.  Every one of them works on what the server sent; without scripts the pages still work.
import htmx from "../vendor/htmx.js";
import "./popovers.js";
import "./dialogs.js";
import "./toasts.js";
import "./preferences.js";
import "./palette.js";
import "./drafts.js";
import "./forms.js";
import "./lists.js";
import "./place.js";
import "./board.js";
import { csrfToken } from "./page.js";
import { warmUp } from "./sign_in.js";

document.documentElement.classList.add("js");
window.htmx = htmx;
if (document.querySelector(".lg__card")) warmUp();

document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  if (request.method !== "GET") request.headers["X-CSRF-Token"] = csrfToken();
});
