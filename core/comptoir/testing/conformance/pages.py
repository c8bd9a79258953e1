"""Pages: they answer, they show what stands in records as text, and everybody can use them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import comptoir
from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.running import Running
from comptoir.testing.conformance.samples import PROBE

AXE = Path(comptoir.__file__).parents[1] / "assets" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RULES = "async () => (await axe.run({preload: false, resultTypes: ['violations'], rules: {'color-contrast': {enabled: false}}})).violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 120)}`)"  # fmt: skip
NAMELESS = ("hidden", "submit", "button", "reset", "image")


class Page(HTMLParser):
    """What a page is made of, as far as the checks ask: elements with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        """The text inside each element, beside what `elements` holds."""
        self.labelled: set[int] = set()
        """The elements that stand inside a label."""
        self._open: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        self.texts.append(given.get("alt", "") or given.get("aria-label", "") or given.get("title", ""))
        place = len(self.elements) - 1
        if any(self.elements[outer][0] == "label" for outer in self._open):
            self.labelled.add(place)
        if tag not in VOID:
            self._open.append(place)
        for outer in self._open:
            self.texts[outer] += self.texts[place] if outer != place else ""

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            if self.elements[self._open.pop()][0] == tag:
                break

    def handle_data(self, text: str) -> None:
        for outer in self._open:
            self.texts[outer] += text.strip()

    @property
    def is_whole(self) -> bool:
        """Whether it is a page and not a part of one."""
        return any(tag == "html" for tag, _attributes in self.elements)


VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")


def _pages(running: Running) -> Iterator[tuple[str, Page]]:
    """The pages that the administrator sees, by path."""
    for path, answer in running.world.seen.items():
        if answer.status_code == 200 and "html" in (answer.mimetype or ""):
            yield path, Page(answer.text)


@check("pages.answer", needs="deployment")
def answer(running: Running) -> Iterator[Finding]:
    """Every page answers the administrator."""
    for path, shown in running.world.seen.items():
        if shown.status_code >= 400:
            yield Finding(f"it answers {shown.status_code}", path, "open it and read the error")


@check("pages.parts", needs="deployment")
def parts(running: Running) -> Iterator[Finding]:
    """Every panel, tile, tab and fact can be shown."""
    _ = running.world.seen
    for path, told in running.world.failed.items():
        for line in dict.fromkeys(told):
            yield Finding(f"{line:.300}", path, "mend what the log tells")


@check("pages.escaped", needs="deployment")
def escaped(running: Running) -> Iterator[Finding]:
    """What stands in a record is shown as text, never as a part of the page."""
    for path, page in _pages(running):
        for _tag, attributes in page.elements:
            if PROBE in attributes:
                yield Finding(f"a text of {attributes[PROBE] or 'a record'} becomes an element", path, "leave the escaping to the template: no |safe, no Markup of values")  # fmt: skip
                break


@check("pages.named_inputs", needs="deployment")
def named_inputs(running: Running) -> Iterator[Finding]:
    """Every input has a label, every button and link a name, every picture a text."""
    for path, page in _pages(running):
        labels = {attributes.get("for", " ") for tag, attributes in page.elements if tag == "label"}
        for place, (tag, attributes) in enumerate(page.elements):
            named = bool({"aria-label", "aria-labelledby", "title"} & attributes.keys())
            hidden = (
                attributes.get("type") in NAMELESS or attributes.get("aria-hidden") == "true" or "hidden" in attributes
            )
            wrong = ""
            if tag in ("input", "select", "textarea") and not hidden:
                wrong = "" if named or place in page.labelled or attributes.get("id", "") in labels else "has no label"
            elif tag == "img":
                wrong = "" if "alt" in attributes else "has no text"
            elif tag == "button" or (tag == "a" and "href" in attributes):
                wrong = "" if named or page.texts[place] or hidden else "has no name"
            if wrong:
                shown = attributes.get("name") or attributes.get("id") or attributes.get("class", "")
                yield Finding(f"<{tag} {shown}> {wrong}", path, "give a label, aria-label or alt")


@check("pages.headings", needs="deployment")
def headings(running: Running) -> Iterator[Finding]:
    """Every whole page has one first heading, a title and its language."""
    for path, page in _pages(running):
        if page.is_whole:
            found = Counter(tag for tag, _attributes in page.elements)
            html = next(attributes for tag, attributes in page.elements if tag == "html")
            if found["h1"] != 1:
                yield Finding(f"it has {found['h1']} first headings", path, "give it one h1")
            if not found["title"] or "lang" not in html:
                yield Finding("it has no title or no language", path, "let the template extend plugin.html")


@check("pages.unique_ids", needs="deployment")
def unique_ids(running: Running) -> Iterator[Finding]:
    """No two elements of a page have the same id."""
    for path, page in _pages(running):
        ids = Counter(attributes["id"] for _tag, attributes in page.elements if attributes.get("id"))
        for name, count in ids.items():
            if count > 1:
                yield Finding(f"the id {name} stands {count} times", path, "make ids from the number of the record")


@check("pages.no_inline_code", needs="deployment")
def no_inline_code(running: Running) -> Iterator[Finding]:
    """Pages hold no script, style or handler of their own, which the policy of the platform refuses to run."""
    for path, page in _pages(running):
        for tag, attributes in page.elements:
            handlers = [name for name in attributes if name.startswith("on")]
            if handlers or "style" in attributes or (tag == "script" and not {"src", "type"} & attributes.keys()) or tag == "style":  # fmt: skip
                yield Finding(
                    f"<{tag}> has {', '.join(handlers) or 'inline code'}", path, "put it into static/<plugin>/"
                )


def _program() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def is_there() -> bool:
    """Whether there is what the rules of axe run in."""
    return _program() is not None and AXE.is_file() and find_spec("playwright") is not None


@check("pages.accessible", needs="deployment")
def accessible(running: Running) -> Iterator[Finding]:
    """The rules of axe find nothing on its pages, where Chromium and axe are there; contrast is the theme's."""
    if running.engine != "sqlite":
        raise NotApplicable("the same pages are looked at on SQLite")
    if not is_there():
        raise NotApplicable(
            "Chromium, playwright or axe-core is not installed; labels, names and headings were looked at"
        )
    whole = {path: running.world.seen[path].text for path, page in _pages(running) if page.is_whole}
    with ThreadPoolExecutor(1) as aside:  # a test that holds a browser itself has taken this thread's event loop
        violations = aside.submit(_violations, whole).result()
    for path, violation in violations:
        yield Finding(violation, path, "look the rule up at dequeuniversity.com/rules/axe")


def _violations(pages: Mapping[str, str]) -> list[tuple[str, str]]:
    """What axe finds, by path."""
    from playwright.sync_api import sync_playwright

    rules = AXE.read_text()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_program(), args=FLAGS)
        tab = browser.new_context(java_script_enabled=True, offline=True).new_page()
        found = []
        for path, text in pages.items():
            tab.set_content(text, wait_until="domcontentloaded")
            tab.evaluate(rules)
            found += [(path, violation) for violation in tab.evaluate(RULES)]
        browser.close()
    return found
