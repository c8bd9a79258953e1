// What every module needs to know about the page.

const meta = (name) => document.querySelector(`meta[name="${name}"]`);

export const csrfToken = () => meta("csrf-token").content;

/** Whose page this is: an id, and the address they sign in with; empty before signing in. */
export const userId = () => meta("comptoir-user")?.content ?? "";
export const userEmail = () => meta("comptoir-user")?.dataset.email ?? "";

/** From now on the forms of this page carry this token: the session was renewed. */
export function adoptToken(token) {
  meta("csrf-token").content = token;
  document.querySelectorAll('input[name="csrf_token"]').forEach((field) => { field.value = token; });
}

export const isTyping = (target) =>
  target instanceof Element && target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

export const isBusyElsewhere = () => document.querySelector("dialog[open], [popover]:popover-open") !== null;

/** Tells every part that the page has new content, as htmx does after its swaps. */
export const announce = () => document.dispatchEvent(new CustomEvent("htmx:after:swap"));

/** Runs now and after every part of the page that htmx replaces. */
export function onContent(run) {
  run(document);
  document.addEventListener("htmx:after:swap", () => run(document));
}

/** Runs for every element that matches, once per element. */
export function each(selector, name, run) {
  onContent((root) => {
    for (const element of root.querySelectorAll(selector)) {
      if (element.dataset[name]) continue;
      element.dataset[name] = "1";
      run(element);
    }
  });
}
