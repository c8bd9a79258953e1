// Native dialogs: opening, closing, asking before a deed, and pages that open as a dialog.

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
  keep.textContent = document.querySelector("#palette [data-close-dialog]")?.getAttribute("aria-label") ?? "×";
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

async function openPage(link) {
  const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
  if (!answer.ok) { location.href = link.href; return; }
  const dialog = document.createElement("dialog");
  dialog.className = "dlg dlg--wide";
  dialog.setAttribute("aria-labelledby", "plan-t");
  dialog.innerHTML = await answer.text();
  document.body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
  dialog.showModal();
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
  if (event.key === " " && event.target instanceof Element && event.target.matches("a[role=switch]")) { event.preventDefault(); event.target.click(); }
});
