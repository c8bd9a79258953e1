"""The board in a browser: cards are moved by mouse and by keyboard, and moves are taken back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.conftest import STAGES, sign_in_again

if TYPE_CHECKING:
    from playwright.sync_api import Page


def lane(page: Page, name: str) -> Any:
    return page.locator(f'[data-lane="{name}"]')


def card(page: Page, name: str) -> Any:
    return page.locator("[data-card]").filter(has_text=name)


def drag(page: Page, name: str, to: str) -> None:
    """In several steps, as a hand does: the browser tells a list of what is over it only while that moves."""
    card(page, name).drag_to(lane(page, to).locator("[data-lane-list]"), steps=8)


@pytest.fixture
def board(page: Page) -> Page:
    page.goto("/sales/deals/board")
    page.locator('#board[data-ready="1"]').wait_for()
    page.locator("[data-lane-list]").first.wait_for()
    return page


def home(board: Page, title: str) -> str:
    found: str = card(board, title).locator("xpath=ancestor::section").get_attribute("data-lane")
    return found


def test_a_card_is_dragged_to_the_next_stage(board: Page) -> None:
    assert home(board, "Espresso line 0") == "prospecting"
    total = lane(board, "engaging").locator(".lane__foot").inner_text()
    drag(board, "Espresso line 0", "engaging")
    lane(board, "engaging").locator("[data-card]").filter(has_text="Espresso line 0").wait_for()
    board.locator("[data-toast]").wait_for()
    assert lane(board, "engaging").locator(".lane__foot").inner_text() != total


def test_arrow_keys_move_the_focused_card_and_undo_brings_it_back(board: Page) -> None:
    card(board, "Espresso line 1").first.focus()
    board.keyboard.press("ArrowRight")
    lane(board, "offer_sent").locator("[data-card]").filter(has_text="Espresso line 1").first.wait_for()
    board.locator("[data-toast]").get_by_role("button", name="Undo").click()
    lane(board, "engaging").locator("[data-card]").filter(has_text="Espresso line 1").first.wait_for()


def test_w_wins_a_deal(board: Page) -> None:
    card(board, "Espresso line 2").focus()
    board.keyboard.press("w")
    lane(board, "won").locator("[data-card]").filter(has_text="Espresso line 2").wait_for()


def test_l_asks_why_a_deal_was_lost_and_suggests_no_answer(board: Page) -> None:
    card(board, "Espresso line 3").focus()
    board.keyboard.press("l")
    dialog = board.get_by_role("dialog", name="Move to Lost")
    reason = dialog.get_by_label(re.compile("^Lost reason"))
    assert reason.input_value() == ""
    dialog.get_by_role("button", name="Move to Lost").click()
    dialog.locator("[aria-invalid=true]").wait_for()
    assert lane(board, "lost").locator("[data-card]").filter(has_text="Espresso line 3").count() == 0
    reason.select_option("Price")
    dialog.get_by_role("button", name="Move to Lost").click()
    lane(board, "lost").locator("[data-card]").filter(has_text="Espresso line 3").wait_for()
    board.locator("[data-toast]").get_by_role("button", name="Undo").click()
    lane(board, home_of("3")).locator("[data-card]").filter(has_text="Espresso line 3").wait_for()


def home_of(number: str) -> str:
    return STAGES[int(number) % 4]


def test_a_question_that_is_not_answered_leaves_the_card_where_it_was(board: Page) -> None:
    drag(board, "Espresso line 5", "lost")
    dialog = board.get_by_role("dialog", name="Move to Lost")
    dialog.get_by_role("link", name="Keep as it is").click()
    dialog.wait_for(state="detached")
    assert home(board, "Espresso line 5") == home_of("5")


def test_one_menu_serves_every_card(board: Page) -> None:
    assert board.locator("[data-move-menu]").count() == 1
    card(board, "Espresso line 4").get_by_role("button", name="Move").click()
    board.locator("[data-move-menu]:popover-open").get_by_role("button", name="Negotiation").click()
    lane(board, "negotiation").locator("[data-card]").filter(has_text="Espresso line 4").wait_for()


def test_offline_the_card_goes_back_and_it_is_said(board: Page) -> None:
    board.context.set_offline(True)
    drag(board, "Espresso line 9", "negotiation")
    board.locator("[data-toast]").filter(has_text="no connection").wait_for()
    assert home(board, "Espresso line 9") == home_of("9")
    board.context.set_offline(False)
    drag(board, "Espresso line 9", "negotiation")
    lane(board, "negotiation").locator("[data-card]").filter(has_text="Espresso line 9").wait_for()


def test_whose_session_ended_signs_in_again_and_the_card_moves(board: Page) -> None:
    board.context.clear_cookies()
    drag(board, "Espresso line 10", "won")
    sign_in_again(board)
    lane(board, "won").locator("[data-card]").filter(has_text="Espresso line 10").wait_for()


def test_a_deal_is_lost_and_taken_up_again_on_its_own_page(page: Page) -> None:
    page.goto("/sales/deals?q=Espresso line 11")
    page.locator("a.name").first.click()
    stages = page.get_by_role("form", name="Stages")
    stages.get_by_role("button", name="Lost").click()
    dialog = page.get_by_role("dialog", name="Move to Lost")
    dialog.get_by_label(re.compile("^Lost reason")).select_option("Price")
    dialog.get_by_role("button", name="Move to Lost").click()
    stages.locator("[aria-current=step]").filter(has_text="Lost").wait_for()
    stages.get_by_role("button", name="Prospecting").click()
    stages.locator("[aria-current=step]").filter(has_text="Prospecting").wait_for()
    page.locator("[data-toast]").get_by_role("button", name="Undo").click()
    stages.locator("[aria-current=step]").filter(has_text="Lost").wait_for()
