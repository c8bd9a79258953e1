"""Nothing typed is lost: not by a session that ends, not by a connection that fails, not by going away."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.browser.conftest import sign_in, sign_in_again

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


def new_contact(page: Page, name: str, number: str) -> None:
    page.goto("/base/contacts/new?kind=person")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Add to phones").click()
    page.keyboard.type(number)


def test_after_adding_a_line_the_number_is_typed_at_once(page: Page) -> None:
    new_contact(page, "Straight Typing", "+31 20 794 0001")
    assert page.get_by_label("Number", exact=True).input_value() == "+31 20 794 0001"


def test_whose_session_ended_signs_in_again_in_place_and_saves(profile: Callable[..., BrowserContext]) -> None:
    page = profile().new_page()
    sign_in(page)
    new_contact(page, "Session Ended", "+31 20 794 0002")
    page.context.clear_cookies()
    page.keyboard.press("Control+Enter")
    sign_in_again(page)
    page.wait_for_url(re.compile(r"/base/contacts/\d+$"))
    assert page.get_by_role("heading", level=2, name="Session Ended").count() == 1
    page.goto("/base/contacts/new?kind=person")
    assert page.get_by_label("Name", exact=True).input_value() == ""


def test_whoever_does_not_sign_in_again_finds_the_form_as_it_was_with_its_lines(
    profile: Callable[..., BrowserContext],
) -> None:
    page = profile().new_page()
    sign_in(page)
    new_contact(page, "Not Now", "+31 20 794 0003")
    page.context.clear_cookies()
    page.keyboard.press("Control+Enter")
    page.get_by_role("dialog", name="Your session has ended").get_by_role("button", name="Not now").click()
    page.locator("[data-toast]").filter(has_text="kept in this browser").wait_for()
    sign_in(page)
    page.goto("/base/contacts/new?kind=person")
    assert page.get_by_label("Name", exact=True).input_value() == "Not Now"
    assert page.get_by_label("Number", exact=True).input_value() == "+31 20 794 0003"
    page.get_by_role("button", name="Discard it").click()
    page.locator("[data-form-state]").filter(has_not_text="draft").wait_for(state="attached")
    assert page.get_by_label("Name", exact=True).input_value() == ""


def test_a_draft_survives_going_away_and_a_line_that_was_removed_stays_removed(page: Page) -> None:
    new_contact(page, "Lines Come and Go", "+31 20 794 0004")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/base/contacts/\d+$"))
    edit = f"{page.url}/edit"
    page.goto(edit)
    page.get_by_role("button", name="Remove this line").click()
    page.get_by_role("button", name="Add to e-mails").click()
    page.keyboard.type("lines@example.org")
    page.get_by_label("Status", exact=True).select_option("vip")
    page.goto("/base/tasks")
    page.goto(edit)
    assert page.get_by_label("Number", exact=True).count() == 0
    assert page.locator('[data-lines="emails"] input[type=email]').input_value() == "lines@example.org"
    assert page.get_by_label("Status", exact=True).input_value() == "vip"
    page.get_by_role("button", name="Save contact").click()
    page.wait_for_url(re.compile(r"/base/contacts/\d+$"))
    assert page.get_by_role("link", name="lines@example.org").count() == 1


def test_a_refused_form_keeps_what_was_typed_also_on_the_next_visit(page: Page) -> None:
    page.goto("/base/contacts/new?kind=company")
    page.get_by_label("City", exact=True).last.fill("Gouda")
    page.get_by_label("Employees").fill("many")
    page.get_by_role("button", name="Save contact").click()
    page.locator("[data-errors]").wait_for()
    page.goto("/base/contacts/new?kind=company")
    assert page.get_by_label("City", exact=True).last.input_value() == "Gouda"
    page.get_by_role("button", name="Discard it").click()


def test_offline_a_form_says_so_and_is_saved_once_there_is_a_connection(page: Page) -> None:
    new_contact(page, "Off and On", "+31 20 794 0005")
    page.context.set_offline(True)
    page.get_by_role("button", name="Save contact").click()
    page.locator("[data-toast]").filter(has_text="no connection").wait_for()
    assert page.get_by_label("Number", exact=True).input_value() == "+31 20 794 0005"
    page.context.set_offline(False)
    page.get_by_role("button", name="Save contact").click()
    page.wait_for_url(re.compile(r"/base/contacts/\d+$"))


def open_note(page: Page) -> Any:
    page.goto("/base/contacts/1")
    return page.get_by_role("textbox", name="Note")


def test_a_note_outlives_its_session_and_its_connection(profile: Callable[..., BrowserContext]) -> None:
    page = profile().new_page()
    sign_in(page)
    open_note(page).fill("They roast on Tuesdays.")
    page.context.set_offline(True)
    page.keyboard.press("Control+Enter")
    page.locator("[data-toast]").filter(has_text="no connection").wait_for()
    page.context.set_offline(False)
    assert open_note(page).input_value() == "They roast on Tuesdays."
    page.context.clear_cookies()
    page.get_by_role("button", name="Save note").click()
    sign_in_again(page)
    page.locator("#timeline").get_by_text("They roast on Tuesdays.").first.wait_for()
    assert page.get_by_role("textbox", name="Note").input_value() == ""


def test_signing_out_on_purpose_leaves_no_drafts_behind(profile: Callable[..., BrowserContext]) -> None:
    page = profile().new_page()
    sign_in(page)
    new_contact(page, "Shared Computer", "+31 20 794 0006")
    page.goto("/")
    assert page.evaluate("Object.keys(localStorage).some((key) => key.startsWith('comptoir:draft'))")
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/login"))
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('comptoir:'))") == []


def test_a_call_back_for_tomorrow_is_one_step_on_the_caller_s_page(page: Page) -> None:
    page.goto("/base/contacts/2")
    page.get_by_role("tab", name="Call back").click()
    page.get_by_role("button", name="Save call-back").click()
    page.locator("[data-toast]").filter(has_text="Call back noted").wait_for()
    assert re.search(r"/base/contacts/2$", page.url)
    page.locator(".rec__head").get_by_text("Tomorrow").wait_for()
    page.locator("#timeline").get_by_text("Call back").first.wait_for()


def test_a_task_without_words_is_asked_for_them_and_keeps_its_day(page: Page) -> None:
    page.goto("/base/contacts/2")
    page.get_by_role("tab", name="Task").click()
    page.locator("#compose-base-task").get_by_label("Due").fill("2027-03-01")
    page.get_by_role("button", name="Save task").click()
    page.locator("#compose-base-task [aria-invalid=true]").wait_for()
    assert page.locator("#compose-base-task").get_by_label("Due").input_value() == "2027-03-01"
    page.get_by_role("textbox", name="Task").fill("Send the price list")
    page.get_by_role("button", name="Save task").click()
    page.locator("#timeline").get_by_text("Send the price list").first.wait_for()


def test_a_company_is_asked_other_things_than_a_person(page: Page) -> None:
    page.goto("/base/contacts/new?kind=company")
    assert not page.get_by_label("Job title").is_visible()
    page.get_by_label("Kind").select_option("person")
    assert page.get_by_label("Job title").is_visible()
    assert not page.get_by_label("Employees").is_visible()


def test_the_way_back_leads_to_the_place_one_came_from(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 400})
    page.goto("/sales/deals?page[size]=25")
    page.locator("tr[data-row]").last.scroll_into_view_if_needed()
    place = page.evaluate("document.querySelector('.lst .scroll').scrollTop")
    assert place > 0
    page.locator("tr[data-row] a.name").last.click()
    page.wait_for_url(re.compile(r"/sales/deals/\d+$"))
    page.go_back()
    page.locator("tr[data-row]").last.wait_for()
    assert page.evaluate("document.querySelector('.lst .scroll').scrollTop") == place


def test_a_converted_lead_says_what_became_of_it_and_comes_back(page: Page) -> None:
    page.goto("/sales/leads/new")
    page.get_by_label("Subject").fill("Two grinders")
    page.get_by_label("Company").fill("Convert Me SRL")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/sales/leads/\d+$"))
    lead = page.url
    page.get_by_role("tab", name="Call back").wait_for()
    page.get_by_role("button", name="Convert").click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_label("Name").input_value() == "Two grinders"
    dialog.get_by_role("button", name="Convert").click()
    page.wait_for_url(re.compile(r"/sales/deals/\d+$"))
    toast = page.locator("[data-toast]").filter(has_text="is now the deal")
    toast.get_by_role("button", name="Undo").click()
    page.wait_for_url(lead)
    page.get_by_role("button", name="Convert").wait_for()
