"""Contacts in a browser: forms, lists and the record page, by mouse and keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.browser.conftest import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


def rows(page: Page) -> Any:
    return page.locator("tr[data-row]")


def test_signing_in_leads_to_the_dashboard(profile: Callable[..., BrowserContext]) -> None:
    page = profile().new_page()
    sign_in(page)
    assert page.get_by_role("heading", level=1).inner_text() == "Dashboard"


def test_a_contact_with_a_phone_is_created_and_listed(page: Page) -> None:
    page.goto("/base/contacts")
    page.keyboard.press("n")
    page.get_by_label("Name", exact=True).fill("Femke Jansen")
    page.get_by_role("button", name="Add to phones").click()
    page.get_by_label("Number", exact=True).fill("+31 20 794 0000")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/base/contacts/\d+$"))
    assert page.get_by_role("link", name=re.compile("31.?20")).count() >= 1
    page.goto("/base/contacts?q=femke")
    assert rows(page).count() == 1
    assert "Femke Jansen" in rows(page).first.inner_text()


def test_errors_stand_at_their_fields_and_f8_walks_them(page: Page) -> None:
    page.goto("/base/contacts/new")
    page.get_by_label("Name", exact=True).fill("Bad Numbers")
    page.get_by_role("button", name="Add to phones").click()
    page.get_by_label("Number", exact=True).fill("12")
    page.get_by_role("button", name="Add to e-mails").click()
    page.locator('[data-lines="emails"] input[type=email]').fill("nobody@example.")
    page.get_by_role("button", name="Save contact").click()
    page.locator("[data-errors]").wait_for()
    wrong = page.locator("[aria-invalid=true]")
    assert wrong.count() >= 1
    page.keyboard.press("F8")
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    described = page.evaluate("document.activeElement.getAttribute('aria-describedby')")
    assert page.locator(f"#{described.split()[0]}").inner_text().strip()
    assert page.get_by_label("Name", exact=True).input_value() == "Bad Numbers"


def test_the_list_is_walked_by_keyboard(page: Page) -> None:
    page.goto("/base/contacts?sort=name")
    rows(page).first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    chosen = page.locator("tr.is-cursor")
    name = chosen.locator("a.name").inner_text()
    assert name == rows(page).nth(1).locator("a.name").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/base/contacts/\d+$"))
    assert page.get_by_role("heading", level=2).first.inner_text() == name


def test_a_slash_leads_to_the_filter_and_the_filter_to_fewer_rows(page: Page) -> None:
    page.goto("/base/contacts")
    page.keyboard.press("/")
    page.keyboard.type("veche")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=veche"))
    assert rows(page).count() == 1
    page.get_by_role("link", name="Remove filter Text").click()
    page.wait_for_url(re.compile(r"/base/contacts$"))
    assert rows(page).count() > 1


def test_boxes_of_the_filter_panel_narrow_the_list(page: Page) -> None:
    page.goto("/base/contacts")
    page.locator("#filter-panel").get_by_label(re.compile("^Company")).check()
    page.wait_for_url(re.compile("kind.*company"))
    assert page.locator(".facet").count() == 1
    assert page.locator("#filter-panel").get_by_label(re.compile("^Company")).is_checked()


def test_a_filter_is_kept_under_a_name(page: Page) -> None:
    page.goto("/base/contacts?filter[city]=Cluj")
    page.get_by_role("button", name="Save view").click()
    page.get_by_label("Name").last.fill("In Cluj")
    page.keyboard.press("Enter")
    tab = page.get_by_role("navigation", name="Saved filters").get_by_role("link", name="In Cluj")
    tab.wait_for()
    assert tab.get_attribute("aria-current") == "page"


def test_columns_are_chosen_and_sorted(page: Page) -> None:
    page.goto("/base/contacts")
    page.get_by_role("button", name="Columns").click()
    chooser = page.locator("#columns")
    chooser.get_by_role("checkbox", name="Employees").check()
    chooser.get_by_role("button", name="Show these").click()
    heading = page.get_by_role("columnheader", name="Employees")
    heading.wait_for()
    page.get_by_role("columnheader", name="City").get_by_role("link").click()
    page.wait_for_url(re.compile("sort=city"))
    assert page.get_by_role("columnheader", name="City").get_attribute("aria-sort") == "ascending"


def test_rows_are_grouped_with_their_counts(page: Page) -> None:
    page.goto("/sales/deals")
    page.get_by_role("button", name="Group").click()
    page.locator("#group-menu").get_by_role("link", name="Stage").click()
    page.wait_for_url(re.compile("group=stage"))
    headings = page.locator("tr.grp")
    assert headings.count() >= 4
    assert "€" in headings.first.inner_text()


def test_selected_rows_go_to_the_bin_and_come_back(page: Page) -> None:
    page.goto("/base/contacts?q=złoty")
    page.keyboard.press("j")
    page.keyboard.press("x")
    bar = page.locator("[data-bulk]")
    assert bar.locator("[data-selected]").inner_text() == "1 selected"
    bar.get_by_role("button", name="Move to the bin").click()
    page.get_by_role("dialog", name="Move to the bin").get_by_role("button", name="Move to the bin").click()
    toast = page.locator("[data-toast]")
    toast.wait_for()
    assert rows(page).count() == 0
    toast.get_by_role("button", name="Undo").click()
    page.get_by_text("1 record restored").wait_for()
    page.goto("/base/contacts?q=złoty")
    assert rows(page).count() == 1


def test_a_note_stands_on_the_timeline(page: Page) -> None:
    page.goto("/base/contacts?q=veche")
    rows(page).first.locator("a.name").click()
    page.get_by_role("textbox", name="Note").fill("They open a third shop in spring.")
    page.keyboard.press("Control+Enter")
    page.locator("#timeline").get_by_text("They open a third shop in spring.").first.wait_for()


def test_next_and_previous_follow_the_list(page: Page) -> None:
    page.goto("/base/contacts?filter[city]=Cluj&sort=name")
    names = page.locator("a.name").all_inner_texts()
    rows(page).first.locator("a.name").click()
    page.get_by_role("link", name="Next record").click()
    page.get_by_role("heading", level=2, name=names[1]).wait_for()
    page.get_by_role("link", name="Previous record").click()
    page.get_by_role("heading", level=2, name=names[0]).wait_for()
