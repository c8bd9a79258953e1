"""What a person meets: signing in, lists, forms, records, and being told no."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from comptoir.base.models import ContactPhone


def test_whoever_is_not_signed_in_is_asked_to(browser: Any) -> None:
    answer = browser.get("/base/contacts?q=ana")
    assert answer.status_code == 303
    assert answer.location == "/login?next=/base/contacts%3Fq%3Dana"


def test_a_wrong_password_does_not_tell_which_part_was_wrong(browser: Any, make_user: Callable[..., Any]) -> None:
    make_user("Ana", administrator=True, email="ana@example.org")
    known = browser.sign_in("ana@example.org", "not the password")
    unknown = browser.sign_in("nobody@example.org", "not the password")
    assert known.status_code == unknown.status_code == 422
    assert "do not match" in known.text
    assert "do not match" in unknown.text


def test_the_answer_carries_a_policy_without_inline_code(browser: Any) -> None:
    answer = browser.get("/login")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=", answer.text)


def test_a_form_without_its_token_changes_nothing(administrator: Any) -> None:
    answer = administrator.client.post("/base/contacts/new", data={"name": "Mega Fruct SRL"})
    assert answer.status_code == 403
    assert "Mega Fruct" not in administrator.get("/base/contacts").text


def test_a_form_of_another_site_is_refused(administrator: Any) -> None:
    answer = administrator.post("/base/contacts/new", {"name": "X"}, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403


def test_a_contact_is_created_listed_and_opened(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    answer = administrator.post("/base/contacts/new", {"name": "Mega Fruct SRL", "kind": "company", "status": "vip"})
    assert answer.status_code == 303
    assert "Mega Fruct SRL" in administrator.get("/base/contacts").text
    assert "VIP" in administrator.get(answer.location).text


def test_what_is_wrong_stands_at_its_field_and_the_rest_is_kept(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    answer = administrator.post("/base/contacts/new", {"name": " ", "kind": "company", "city": "Cluj"})
    assert answer.status_code == 422
    assert 'id="f-name-e"' in answer.text
    assert 'value="Cluj"' in answer.text


def test_a_number_that_could_not_be_read_is_marked(administrator: Any, make_contact: Callable[..., Any]) -> None:
    unread = make_contact("Koffiehuis", phones=[ContactPhone(number="06 12345678")])
    read = make_contact("Cafenea", phones=[ContactPhone(number="0744 123 456")])
    assert "unclear" in administrator.get(f"/base/contacts/{unread.id}").text
    page = administrator.get(f"/base/contacts/{read.id}").text
    assert "unclear" not in page
    assert "tel:+40744123456" in page


def test_a_stale_form_shows_both_values(administrator: Any, make_contact: Callable[..., Any]) -> None:
    contact = make_contact("Koffiehuis De Linde", city="Utrecht")
    page = f"/base/contacts/{contact.id}/edit"
    administrator.get(page)
    fields = {"name": "Koffiehuis De Linde", "kind": "company", "status": "new", "version": str(contact.version)}
    assert administrator.post(page, {**fields, "city": "Leiden"}).status_code == 303
    answer = administrator.post(page, {**fields, "city": "Gouda"})
    assert answer.status_code == 409
    assert "Gouda" in answer.text
    assert "Leiden" in answer.text


def test_what_one_may_not_see_is_not_there(
    browser: Any, make_user: Callable[..., Any], make_contact: Callable[..., Any]
) -> None:
    contact = make_contact("Hidden Ltd")
    make_user("Radu", grants={"base.contact.read": "own"}, email="radu@example.org")
    browser.sign_in("radu@example.org")
    assert browser.get(f"/base/contacts/{contact.id}").status_code == 404
    assert "Hidden Ltd" not in browser.get("/base/contacts").text


def test_settings_are_for_administrators(browser: Any, make_user: Callable[..., Any]) -> None:
    make_user("Radu", grants={"base.contact.read": "own"}, email="radu@example.org")
    browser.sign_in("radu@example.org")
    answer = browser.get("/settings/modules")
    assert answer.status_code == 403
    assert "An administrator can grant it" in answer.text


def test_signing_out_ends_the_session_on_the_server(administrator: Any) -> None:
    cookie = administrator.client.get_cookie("comptoir").value
    administrator.post("/logout")
    administrator.client.set_cookie("comptoir", cookie)
    assert administrator.get("/account").status_code == 303


def test_an_unknown_filter_is_refused_in_words(administrator: Any) -> None:
    answer = administrator.get("/base/contacts?filter[nonsense]=1")
    assert answer.status_code == 422
    assert "nonsense" in answer.text


def test_a_refusal_speaks_the_language_of_whoever_reads_it_and_not_their_browser_s(administrator: Any) -> None:
    administrator.post("/account", {"name": "Ana Mureșan", "language": "ro"})
    page = administrator.get("/base/contacts/9999", headers={"Accept-Language": "en"})
    assert page.status_code == 404
    assert "Nu există o astfel de pagină aici" in page.text
    assert "There is no such page here" not in page.text
    toast = administrator.get("/base/contacts/9999", headers={"Accept-Language": "en", "HX-Request": "true"})
    assert "or you may not see it" not in toast.headers["HX-Trigger"]
