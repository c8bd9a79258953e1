// What every module needs to know about the page.

export const csrfToken = () => document.querySelector('meta[name="csrf-token"]').content;

export const isTyping = (target) =>
  target instanceof Element && target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

export const isBusyElsewhere = () => document.querySelector("dialog[open], [popover]:popover-open") !== null;

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
