"""The shell in a browser: palette, theme, modules switched off and on, and what a machine can see of every page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.conftest import AXE, PASSWORD, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

PAGES = ("/", "/base/contacts", "/base/contacts/1", "/base/contacts/1/edit", "/base/tasks", "/sales/deals", "/sales/deals/board",
         "/sales/deals/1", "/reports/sales.pipeline", "/search?q=veche", "/settings/modules", "/settings/users", "/settings/roles",
         "/settings/jobs", "/settings/security", "/account", "/account/sessions")  # fmt: skip

CHECK = "async () => (await axe.run()).violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 120)}`)"

NAMELESS = """() => [...document.querySelectorAll("a[href], button")].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width && box.height && !(e.getAttribute("aria-label") || e.title || e.innerText.trim());
}).map((e) => e.outerHTML.slice(0, 120))"""


def test_the_palette_jumps_to_pages_and_records(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("veche")
    page.locator("#palette-hits a", has_text="Cafeneaua Veche").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/base/contacts/\d+"))


def test_whoever_is_faster_than_the_answer_gets_its_first_hit(page: Page) -> None:
    page.goto("/")
    page.route(re.compile(r"/search\?q="), slowly)
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").press_sequentially("veche")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/base/contacts/\d+"))
    page.get_by_role("heading", level=2, name="Cafeneaua Veche").wait_for()


def slowly(route: Any) -> None:
    """Pass a request on after the page has had time to do something hasty."""
    route.request.frame.page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    route.continue_()


@pytest.mark.parametrize(
    ("typed", "address"),
    [("new deal", r"/sales/deals/new$"), ("jobs", r"/settings/jobs$"), ("win rate", r"/reports/sales.win_rate$")],
)
def test_the_palette_knows_what_to_do_and_where_to_go(page: Page, typed: str, address: str) -> None:
    page.goto("/base/contacts")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").press_sequentially(typed)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(address))


def test_the_palette_presses_the_buttons_of_the_page_below(page: Page) -> None:
    page.goto("/sales/deals?q=Espresso line 6")
    page.locator("a.name").first.click()
    page.wait_for_url(re.compile(r"/sales/deals/\d+$"))
    page.locator("html.js").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").press_sequentially("lost")
    page.locator("#palette-hits .mi.is-on").filter(has_text="Lost").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Move to Lost").wait_for()


def test_the_palette_offers_what_one_saw_lately(page: Page) -> None:
    page.goto("/base/contacts/3")
    title = page.get_by_role("heading", level=2).first.inner_text()
    page.goto("/")
    page.keyboard.press("Control+k")
    page.locator("#palette-hits .mi.is-on").filter(has_text=title).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/base/contacts/3$"))


def test_the_chosen_theme_is_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name=re.compile("^Account")).click()
    with page.expect_response("**/preferences"):
        page.get_by_role("button", name="Dark", exact=True).click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name=re.compile("^Account")).click()
    with page.expect_response("**/preferences"):
        page.get_by_role("button", name="As the device").click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") is None


def _switch(page: Page, deed: str, state: str) -> None:
    page.goto("/settings/modules")
    page.get_by_role("switch", name="Sales").click()
    page.get_by_label("Your password, again").fill(PASSWORD)
    page.locator("dialog form.plan").get_by_role("button", name=re.compile(deed)).click()
    page.locator(f'[role=switch][aria-label="Sales"][aria-checked="{state}"]').wait_for()


def _menu(page: Page) -> Any:
    return page.get_by_role("navigation", name="Main", exact=True)


def test_a_module_is_switched_off_without_a_trace_and_comes_back(profile: Callable[..., BrowserContext]) -> None:
    page = profile().new_page()
    sign_in(page)
    page.goto("/base/contacts/1")
    assert page.get_by_role("link", name=re.compile("^Deals")).count() >= 2
    _switch(page, "off", "false")
    page.goto("/base/contacts/1")
    assert _menu(page).get_by_role("link", name="Deals").count() == 0
    assert page.locator(".rec__tabs").get_by_role("link", name=re.compile("^Deals")).count() == 0
    assert page.request.get("/sales/deals").status == 404
    _switch(page, "on", "true")
    page.goto("/sales/deals")
    assert _menu(page).get_by_role("link", name="Deals").count() == 1
    assert page.locator("tr[data-row]").count() == 12


@pytest.mark.timeout(300)
def test_every_page_passes_the_accessibility_rules(page: Page) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make assets")
    rules, found = AXE.read_text(), []
    for path in PAGES:
        page.goto(path)
        page.locator("[aria-busy=true]").first.wait_for(state="detached")
        page.evaluate(rules)
        found += [(path, line) for line in page.evaluate(CHECK)]
    assert found == []


def test_the_open_palette_passes_them_too(page: Page) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make assets")
    page.goto("/")
    page.keyboard.press("Control+k")
    page.locator("#palette[open]").wait_for()
    page.evaluate(AXE.read_text())
    assert page.evaluate(CHECK) == []


def test_every_button_has_a_name_whatever_the_width(page: Page) -> None:
    nameless = []
    for width in (1440, 1024, 375):
        page.set_viewport_size({"width": width, "height": 800})
        for path in PAGES:
            page.goto(path)
            nameless += [(width, path, html) for html in page.evaluate(NAMELESS)]
    assert nameless == []


CUT = """(place) => [...document.querySelectorAll(place)].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.innerText)"""


def test_no_figure_and_none_of_its_words_is_cut_on_the_narrowest_phone(page: Page) -> None:
    page.set_viewport_size({"width": 280, "height": 640})
    page.goto("/")
    page.locator(".kpi").first.wait_for()
    assert page.evaluate(CUT, ".kpi, .kpi__v, .kpi__d, .panel:has(.bars) .panel__body") == []


def test_what_uninstalling_takes_away_is_said_in_whole_words(page: Page) -> None:
    page.goto("/sales/leads/new")
    page.get_by_label("Subject").fill("A fourth kind of record")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/sales/leads/\d+$"))
    page.goto("/settings/modules/sales/uninstall")
    page.get_by_text("Your password, again").wait_for()
    page.locator(".plan .kpi__d").nth(3).evaluate("(e) => { e.textContent = 'people work with it every day' }")
    assert page.evaluate(CUT, ".kpi__d") == []


def test_the_list_of_deals_fits_its_page(page: Page) -> None:
    page.goto("/sales/deals")
    assert (
        page.evaluate(
            "(() => { const l = document.querySelector('.lst .scroll'); return l.scrollWidth - l.clientWidth; })()"
        )
        == 0
    )


def test_on_a_phone_a_note_is_one_tap_away(phone: Page) -> None:
    phone.goto("/base/contacts/1")
    phone.get_by_role("link", name="Write").click()
    phone.keyboard.type("They called back.")
    phone.get_by_role("button", name="Save note").click()
    phone.locator("#timeline").get_by_text("They called back.").first.wait_for(state="attached")


def test_a_toast_does_not_cover_the_bar_of_selected_rows(page: Page) -> None:
    page.goto("/sales/deals")
    page.keyboard.press("j")
    page.keyboard.press("x")
    bar = page.locator("[data-bulk]").bounding_box()
    page.evaluate("document.dispatchEvent(new CustomEvent('toast', { detail: { text: 'Saved' } }))")
    toast = page.locator("[data-toast]").bounding_box()
    assert bar is not None
    assert toast is not None
    assert toast["y"] + toast["height"] <= bar["y"]


def test_no_page_scrolls_sideways_on_a_phone(phone: Page, profile: Callable[..., BrowserContext]) -> None:
    sign_in(profile().new_page())  # somewhere else, where one can sign out
    wide = []
    for path in PAGES:
        phone.goto(path)
        over = phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            wide.append((path, over))
    assert wide == []


TWICE = """() => {
  const stopped = [];
  addEventListener("submit", (event) => { stopped.push(event.defaultPrevented); event.preventDefault(); });
  const button = document.querySelector("form[data-form] button:not([type])");
  button.click();
  button.click();
  return stopped;
}"""


def test_a_hasty_second_click_sends_nothing_twice(page: Page) -> None:
    page.goto("/account/tokens")
    page.get_by_label("Name").fill("Clicked twice")
    assert page.evaluate(TWICE) == [False, True]


def test_a_question_can_be_closed_and_nothing_is_done(page: Page) -> None:
    page.goto("/account/tokens")
    page.get_by_label("Name").fill("Still needed")
    page.get_by_role("button", name="Make token").click()
    page.get_by_role("row", name="Still needed").get_by_role("button", name="Revoke").click()
    question = page.get_by_role("alertdialog")
    question.get_by_role("button", name="Close").click()
    question.wait_for(state="detached")
    page.goto("/account/tokens")
    page.get_by_role("row", name="Still needed").get_by_role("button", name="Revoke").wait_for()
