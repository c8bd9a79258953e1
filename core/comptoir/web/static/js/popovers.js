// Places native popovers beside the button that opens them, and walks their entries with the arrow keys.

/** Puts an open popover beside a button, where there is room. */
export function placeBeside(popover, button) {
  const gap = 4;
  const anchor = button.getBoundingClientRect();
  const box = popover.getBoundingClientRect();
  const wish = popover.dataset.placement ?? "";
  const startsAt = wish.includes("end") ? anchor.right - box.width : anchor.left;
  const left = Math.max(8, Math.min(startsAt, innerWidth - box.width - 8));
  const fitsBelow = anchor.bottom + gap + box.height <= innerHeight - 8;
  const above = (wish.includes("top") || !fitsBelow) && anchor.top - gap - box.height >= 8;
  const top = above ? anchor.top - gap - box.height : Math.min(anchor.bottom + gap, innerHeight - box.height - 8);
  popover.style.left = `${left}px`;
  popover.style.top = `${Math.max(8, top)}px`;
}

document.addEventListener("toggle", (event) => {
  const popover = event.target;
  if (!(popover instanceof HTMLElement) || !popover.matches(".pop[popover]") || event.newState !== "open") return;
  const button = document.querySelector(`[popovertarget="${popover.id}"]`);
  if (button && !popover.matches(".sheet")) placeBeside(popover, button);
  popover.querySelector("[autofocus], .mi.is-on, a.mi, button.mi")?.focus({ preventScroll: true });
}, true);

document.addEventListener("keydown", (event) => {
  const menu = event.target instanceof Element ? event.target.closest(".pop[popover]") : null;
  if (!menu || !["ArrowDown", "ArrowUp"].includes(event.key) || event.altKey) return;
  const entries = [...menu.querySelectorAll("a.mi, button.mi")];
  const at = entries.indexOf(document.activeElement);
  if (at < 0) return;
  event.preventDefault();
  entries.at((at + (event.key === "ArrowDown" ? 1 : -1)) % entries.length)?.focus();
});

// The filter panel stands beside the list on wide screens and opens over it on narrow ones.
const panel = document.getElementById("filter-panel");
if (panel) {
  const narrow = matchMedia("(max-width: 960px)");
  const adapt = () => (narrow.matches ? panel.setAttribute("popover", "") : panel.removeAttribute("popover"));
  narrow.addEventListener("change", adapt);
  adapt();
}
