"""Where a form goes back to: the page that sent it, never another site."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir.web.addresses import own_path, url_with

DEALS = "/sales/deals"


@pytest.mark.parametrize("wished", ["/", "/sales/deals?filter[stage]=won&q=a b", "/base/contacts/7"])
def test_a_path_of_this_deployment_is_kept(wished: str) -> None:
    assert own_path(wished) == wished


@pytest.mark.parametrize(
    "wished",
    ["", "sales", "//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/a\r\nX: 1"],
)
def test_anything_else_leads_to_the_start(wished: str) -> None:
    assert own_path(wished) == "/"


@pytest.mark.parametrize("wished", [DEALS, f"{DEALS}?q=1", f"{DEALS}/board", f"{DEALS}/7"])
def test_a_page_below_an_address_is_kept(wished: str) -> None:
    assert own_path(wished, DEALS, below=DEALS) == wished


@pytest.mark.parametrize("wished", ["/", "/sales/dealsx", "/base/contacts", "/sales"])
def test_a_page_elsewhere_is_not(wished: str) -> None:
    assert own_path(wished, DEALS, below=DEALS) == DEALS


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/base/contacts/views", {"name": "Mine"}),
        ("/base/contacts/columns", {"columns": ["name", "city"]}),
        ("/base/contacts/bulk", {"action": "archive"}),
        ("/preferences", {"scheme": "dark"}),
    ],
)
@pytest.mark.parametrize("elsewhere", ["https://evil.example/base/contacts", "//evil.example"])
def test_a_form_goes_back_to_the_list_that_sent_it(
    administrator: Any, make_contact: Any, path: str, form: dict[str, Any], elsewhere: str
) -> None:
    sent = {**form, "ids": [f"{make_contact('Hotel Marina').id}-1"]}
    here = url_with("/base/contacts", [("q", "Marina"), ("sort", "-name")])
    shown = administrator.get(here).text
    assert f'name="next" value="{here.replace("&", "&amp;")}"' in shown
    away = administrator.post(path, {**sent, "next": elsewhere})
    assert away.headers["Location"] in ("/base/contacts", "/")
    if path.endswith("bulk"):
        return
    assert administrator.post(path, {**sent, "next": here}).headers["Location"] == here


def test_a_view_keeps_the_filters_of_the_page_that_sent_it(administrator: Any, make_contact: Any) -> None:
    make_contact("Hotel Marina")
    administrator.get("/base/contacts")
    administrator.post("/base/contacts/views", {"name": "Seaside", "next": "/base/contacts?q=Marina&page[size]=25"})
    assert 'href="/base/contacts?q=Marina"' in administrator.get("/base/contacts").text


@pytest.mark.parametrize("path", ["/login", "/base/contacts", "/search", "/api/v1/base/contacts"])
def test_bytes_that_are_no_text_count_as_their_escapes(administrator: Any, client: Any, path: str) -> None:
    raw = client.get(path, environ_overrides={"QUERY_STRING": "q=\xff"})
    assert raw.status_code == client.get(f"{path}?q=%FF").status_code < 500


def test_a_word_that_was_not_escaped_is_found(administrator: Any, client: Any, make_contact: Any) -> None:
    make_contact("Țuică")
    typed = "q=Țuică".encode().decode("latin-1")
    assert "Țuică</a>" in client.get("/base/contacts", environ_overrides={"QUERY_STRING": typed}).text
