// While a person types their password, the browser fetches what the first page will need.

const here = new URL(".", import.meta.url);

export function warmUp() {
  ["../icons.svg", "../vendor/sortable.js", "../vendor/inter-latin-ext-wght-normal.woff2", "../vendor/inter-cyrillic-wght-normal.woff2"]
    .forEach((path, place) => setTimeout(() => fetch(new URL(path, here)).catch(() => {}), 300 * (place + 1)));
}
