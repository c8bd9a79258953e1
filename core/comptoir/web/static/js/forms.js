// Forms: errors to walk, sending that loses nothing, repeatable lines, references to search, Ctrl Enter.
import { announce, each } from "./page.js";
import { forget, keep, newLine } from "./drafts.js";
import { send, toastOf } from "./send.js";
import { showToast } from "./toasts.js";

// Errors -----------------------------------------------------------------------------------------------------

const wrong = () => [...document.querySelectorAll("[aria-invalid=true]")];

function walk(step) {
  const fields = wrong();
  if (!fields.length) return;
  const at = fields.indexOf(document.activeElement);
  const next = fields.at(at < 0 ? (step > 0 ? 0 : -1) : (at + step) % fields.length);
  next.focus();
  next.scrollIntoView({ block: "center" });
}

document.querySelector("[data-errors]")?.focus();
document.addEventListener("keydown", (event) => {
  if (event.key === "F8") { event.preventDefault(); walk(event.shiftKey ? -1 : 1); }
  const form = event.target instanceof Element ? event.target.closest("form[data-form]") : null;
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
});
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-next-error]")) walk(1);
  const link = target?.closest(".error-links a");
  if (link) { event.preventDefault(); document.getElementById(link.hash.slice(1))?.focus(); }
  const eye = target?.closest("[data-show-password]");
  if (eye) {
    const field = eye.parentElement.querySelector("input");
    field.type = field.type === "password" ? "text" : "password";
    eye.setAttribute("aria-pressed", field.type === "text");
  }
  const take = target?.closest("[data-take]");
  if (take) {
    const field = document.querySelector(`[name="${CSS.escape(take.dataset.take)}"]`);
    if (field?.type === "checkbox") field.checked = Boolean(take.dataset.value);
    else if (field) field.value = take.dataset.value;
  }
});

// Sending ----------------------------------------------------------------------------------------------------

/** Puts what the server says about a form in the form's place. */
function show(form, html) {
  const id = form.dataset.swap ?? "main";
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById(id);
  if (!fresh) return;
  document.getElementById(id).replaceWith(fresh);
  announce();
  (fresh.querySelector("[data-errors]") ?? fresh.querySelector("[aria-invalid=true]"))?.focus();
}

async function sendKept(form, button) {
  keep(form);
  button?.classList.add("is-busy");
  const answer = await send(form.action, new FormData(form, button), { "Comptoir-Form": "true" });
  button?.classList.remove("is-busy");
  if (!answer) return;
  const toast = toastOf(answer);
  if (toast) showToast(toast);
  if (answer.ok) forget(form);
  const next = answer.headers.get("Comptoir-Location");
  if (next) go(next);
  else if (answer.headers.get("Content-Type")?.startsWith("text/html")) show(form, await answer.text());
}

function go(address) {
  const there = new URL(address, location.href);
  // the address of this very page would only be scrolled to its top
  if (there.href === location.href) location.reload();
  // the way back leads past a form that is done with
  else location.replace(there.href);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.form === undefined || event.defaultPrevented) return;
  const button = event.submitter ?? form.querySelector("button:not([type=button])");
  if (form.dataset.keep !== undefined) {
    event.preventDefault();
    if (!button?.classList.contains("is-busy")) sendKept(form, button);
  } else setTimeout(() => button?.classList.add("is-busy"), 150);
});
// What leaves the page is sent once, however often it is clicked; whoever comes back can send it again.
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
  if (form.dataset.sent !== undefined) event.preventDefault();
  form.dataset.sent = "";
});
addEventListener("pageshow", () => {
  document.querySelectorAll(".is-busy").forEach((b) => b.classList.remove("is-busy"));
  document.querySelectorAll("[data-sent]").forEach((form) => { delete form.dataset.sent; });
});

// Bulk dialogs stand outside their form: their inputs name it, and count only while their dialog is open.
each("[data-form]:not(form)", "tied", (box) => {
  const fields = box.querySelectorAll("input, select, textarea");
  const dialog = box.closest("dialog");
  const follow = () => fields.forEach((field) => { field.disabled = !dialog.open; });
  fields.forEach((field) => field.setAttribute("form", box.dataset.form));
  new MutationObserver(follow).observe(dialog, { attributeFilter: ["open"] });
  follow();
});

// Repeatable lines -------------------------------------------------------------------------------------------

let added = 0;
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const adder = target?.closest("[data-add-line]");
  if (adder) {
    const set = adder.closest("[data-lines]");
    const line = newLine(set, `new${Date.now().toString(36)}${added++}`);
    announce();
    (line.querySelector("input:not([type=hidden])") ?? line.querySelector("select"))?.focus();
  }
  const remover = target?.closest("[data-remove-line]");
  if (remover) {
    const set = remover.closest("[data-lines]");
    remover.closest("[data-line]").remove();
    set.querySelector("[data-add-line]").focus();
    set.dispatchEvent(new Event("input", { bubbles: true }));
  }
});

// Fields that depend on a choice ------------------------------------------------------------------------------

function followChoices(form) {
  for (const box of form.querySelectorAll("[data-when]")) {
    const choice = form.elements.namedItem(box.dataset.when);
    if (choice) box.hidden = !box.dataset.among.split(" ").includes(choice.value);
  }
}
document.addEventListener("change", (event) => { if (event.target.form) followChoices(event.target.form); });
each("form:has([data-when])", "depends", followChoices);

// References -------------------------------------------------------------------------------------------------

each("[data-combo]", "ready", (box) => {
  const [hidden, input] = box.querySelectorAll("input");
  const list = box.querySelector("[role=listbox]");
  let timer;
  let running;
  let chosenText = input.value;
  if (input.readOnly) return;
  const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); };
  const pick = (item) => {
    hidden.value = item.dataset.value;
    chosenText = input.value = item.dataset.label;
    hidden.dispatchEvent(new Event("change", { bubbles: true }));
    close();
  };
  const mark = (step) => {
    const items = [...list.children];
    const at = items.findIndex((item) => item.classList.contains("is-on"));
    const next = items.at((at + step) % items.length);
    items.forEach((item) => { item.classList.toggle("is-on", item === next); item.setAttribute("aria-selected", item === next); });
    if (next) { input.setAttribute("aria-activedescendant", next.id); next.scrollIntoView({ block: "nearest" }); }
  };
  const search = async () => {
    running?.abort();
    running = new AbortController();
    const url = `${box.dataset.combo}${box.dataset.combo.includes("?") ? "&" : "?"}q=${encodeURIComponent(input.value === chosenText ? "" : input.value)}`;
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, signal: running.signal });
      if (!answer.ok) return;
      list.replaceChildren(...(await answer.json()).map(({ value, label, detail }, number) => {
        const item = document.createElement("div");
        item.className = "mi mi--tight";
        item.id = `${list.id}-${number}`;
        item.setAttribute("role", "option");
        item.dataset.value = value;
        item.dataset.label = label;
        const name = document.createElement("span");
        name.className = "trunc";
        name.textContent = label;
        const more = document.createElement("span");
        more.className = "t-3 fs-12 trunc";
        more.textContent = detail ?? "";
        item.append(name, more);
        return item;
      }));
      list.hidden = !list.children.length;
      input.setAttribute("aria-expanded", String(!list.hidden));
      if (!list.hidden) mark(1);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  };
  input.addEventListener("input", () => { hidden.value = ""; clearTimeout(timer); timer = setTimeout(search, 150); });
  input.addEventListener("focus", () => { if (!input.value) search(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { event.preventDefault(); if (list.hidden) search(); else mark(1); }
    else if (event.key === "ArrowUp" && !list.hidden) { event.preventDefault(); mark(-1); }
    else if (event.key === "Escape" && !list.hidden) { event.preventDefault(); event.stopPropagation(); close(); }
    else if ((event.key === "Enter" || event.key === "Tab") && !list.hidden) {
      const item = list.querySelector(".is-on");
      if (item) pick(item);
      if (event.key === "Enter") event.preventDefault();
    }
  });
  list.addEventListener("pointerdown", (event) => { event.preventDefault(); const item = event.target.closest("[role=option]"); if (item) pick(item); });
  input.addEventListener("blur", () => { close(); if (!input.value) chosenText = hidden.value = ""; });
});

// Composer ---------------------------------------------------------------------------------------------------

each("[data-composer]", "ready", (box) => {
  const tabs = [...box.querySelectorAll("[role=tab]")];
  const show = (tab) => {
    for (const other of tabs) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
  };
  const restored = box.querySelector("[role=tabpanel]:has(form[data-restored])");
  if (restored) show(document.getElementById(restored.getAttribute("aria-labelledby")));
  tabs.forEach((tab, number) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) { const next = tabs.at((number + step) % tabs.length); show(next); next.focus(); }
    });
  });
});
document.addEventListener("click", (event) => {
  const way = event.target instanceof Element ? event.target.closest("[data-compose]") : null;
  if (!way) return;
  event.preventDefault();
  const field = document.querySelector("#composer [role=tabpanel]:not([hidden]) textarea, #composer textarea");
  field?.scrollIntoView({ block: "center" });
  field?.focus({ preventScroll: true });
});
each(".stages__l", "placed", (list) => {
  const here = list.querySelector("[aria-current]");
  if (here) list.scrollLeft = here.offsetLeft - list.offsetLeft - 12;
});
each("textarea[data-grow]", "grows", (area) => area.addEventListener("input", () => { area.rows = Math.min(12, Math.max(2, area.value.split("\n").length + 1)); }));
