// Native dialogs: opening, closing, asking before a deed, and pages that open as a dialog.
import { announce } from "./page.js";

export function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
}

function question(text, label, danger) {
  const dialog = document.createElement("dialog");
  dialog.className = "dlg dlg--narrow";
  dialog.setAttribute("role", "alertdialog");
  const body = document.createElement("div");
  body.className = "dlg__body pad";
  body.textContent = text;
  const foot = document.createElement("div");
  foot.className = "dlg__foot";
  const space = document.createElement("span");
  space.className = "push";
  const keep = document.createElement("button");
  keep.className = "btn";
  keep.type = "button";
  keep.autofocus = true;
  keep.textContent = document.querySelector("#palette [data-close-dialog]")?.title ?? "×";
  const go = document.createElement("button");
  go.className = danger ? "btn btn--danger-solid" : "btn btn--primary";
  go.type = "button";
  go.textContent = label;
  foot.append(space, keep, go);
  dialog.append(body, foot);
  document.body.append(dialog);
  dialog.setAttribute("aria-label", text);
  return new Promise((resolve) => {
    go.addEventListener("click", () => dialog.close("yes"));
    keep.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => { resolve(dialog.returnValue === "yes"); dialog.remove(); });
    dialog.showModal();
  });
}

/** Shows what the server sent as a dialog, which is gone once it is closed. */
export function showDialog(html, look = "dlg--narrow") {
  const dialog = document.createElement("dialog");
  const opener = document.activeElement;
  dialog.className = `dlg ${look}`;
  dialog.innerHTML = html;
  const heading = dialog.querySelector("h2[id]");
  if (heading) dialog.setAttribute("aria-labelledby", heading.id);
  document.body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); opener?.focus?.(); });
  dialog.showModal();
  announce();
  return dialog;
}

/** Fetches a part and shows it as a dialog; null when it cannot be had. */
export async function fetchDialog(address, look) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
  return answer?.ok ? showDialog(await answer.text(), look) : null;
}

async function openPage(link) {
  link.focus();
  if (!await fetchDialog(link.href, link.dataset.dialogLink || "dlg--wide")) location.href = link.href;
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;
  const opener = target.closest("[data-open-dialog]");
  if (opener) openDialog(document.getElementById(opener.dataset.openDialog));
  if (target.closest("[data-open-shortcuts]")) openDialog(document.getElementById("shortcuts"));
  const closer = target.closest("[data-close-dialog]");
  const around = closer?.closest("dialog");
  if (around) { event.preventDefault(); around.close(); }
  if (target instanceof HTMLDialogElement && target.open) {
    const box = target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) target.close();
  }
  const page = target.closest("a[data-dialog-link]");
  if (page && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); openPage(page); }
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  const button = event.submitter;
  if (await question(form.dataset.confirm, form.dataset.confirmLabel, form.dataset.danger !== undefined)) {
    form.dataset.confirmed = "1";
    form.requestSubmit(button);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === " " && event.target instanceof Element && event.target.matches("a[role=switch], a[role=button]")) { event.preventDefault(); event.target.click(); }
});
