"""The board in a browser: cards are moved by mouse and by keyboard, and moves are taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page


def lane(page: Page, name: str) -> Any:
    return page.locator(f'[data-lane="{name}"]')


def card(page: Page, name: str) -> Any:
    return page.locator("[data-card]").filter(has_text=name)


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
    card(board, "Espresso line 0").drag_to(lane(board, "engaging").locator("[data-lane-list]"))
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


def test_l_asks_why_a_deal_was_lost(board: Page) -> None:
    card(board, "Espresso line 3").focus()
    board.keyboard.press("l")
    dialog = board.get_by_role("dialog", name="Why was it lost?")
    dialog.get_by_role("button", name="Mark as lost").click()
    lane(board, "lost").locator("[data-card]").filter(has_text="Espresso line 3").wait_for()


def test_the_menu_of_a_card_moves_it_too(board: Page) -> None:
    card(board, "Espresso line 4").get_by_role("button", name="Move").click()
    board.locator("[data-move-menu]:popover-open").get_by_role("button", name="Negotiation").click()
    lane(board, "negotiation").locator("[data-card]").filter(has_text="Espresso line 4").wait_for()
