"""Forms lose nothing: what was dropped or kept differently is said, what does not apply is not asked."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

CONTACT = {"name": "Mega Fruct SRL", "kind": "company", "status": "new"}
SENT_BY_SCRIPT = {"Comptoir-Form": "true"}


def said(answer: Any) -> str:
    """What the next page will say."""
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("comptoir-toast="))
    value = cookie.partition("=")[2].partition(";")[0].strip('"').encode().decode("unicode_escape")
    return str(json.loads(unquote(value).replace('\\"', '"'))["text"])


def test_an_empty_line_is_left_out_and_that_is_said(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    answer = administrator.post(
        "/base/contacts/new", {**CONTACT, "phones[new1].label": "work", "phones[new1].number": " "}
    )
    assert answer.status_code == 303
    assert "An empty line was left out" in said(answer)


def test_what_is_no_number_is_kept_told_and_not_dialled(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    fields = {**CONTACT, "phones[new1].label": "work", "phones[new1].number": "call me"}
    answer = administrator.post("/base/contacts/new", fields)
    assert "“call me” is kept as typed" in said(answer)
    page = administrator.get(answer.location).text
    assert "call me" in page
    assert "tel:call me" not in page


def test_a_card_that_holds_just_a_number_is_a_contact(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    fields = {
        "name": "",
        "kind": "person",
        "status": "new",
        "phones[new1].label": "work",
        "phones[new1].number": "+40 744 123 456",
    }
    answer = administrator.post("/base/contacts/new", fields)
    assert answer.status_code == 303
    assert "<h1" in (page := administrator.get(answer.location).text)
    assert "+40 744 123 456" in re.sub(r"<[^>]+>", "", page.partition("<h1")[2].partition("</h1>")[0])


def test_a_card_that_holds_nothing_is_refused_at_its_name(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    answer = administrator.post("/base/contacts/new", {"name": "", "kind": "person", "status": "new"})
    assert answer.status_code == 422
    assert 'id="f-name-e"' in answer.text


def test_a_person_added_from_a_company_s_people_is_a_person(
    administrator: Any, make_contact: Callable[..., Any]
) -> None:
    company = make_contact("Mega Fruct SRL")
    page = administrator.get(f"/base/contacts/{company.id}?tab=base.people").text
    link = html.unescape(re.findall(r'href="(/base/contacts/new\?[^"]+)"', page)[0])
    form = administrator.get(link).text
    assert '<option value="person" selected>' in form
    assert "Mega Fruct SRL" in form


def box_of(page: str, name: str) -> str:
    return str(re.findall(rf'<div class="field [^>]*>(?=<label for="f-{name}")', page)[0])


def test_a_company_is_not_asked_for_a_salutation_and_a_person_is(administrator: Any) -> None:
    company = administrator.get("/base/contacts/new?kind=company").text
    assert "hidden" in box_of(company, "salutation")
    assert "hidden" in box_of(company, "job_title")
    assert "hidden" not in box_of(company, "employees")
    assert "hidden" not in box_of(administrator.get("/base/contacts/new?kind=person").text, "salutation")


def test_a_new_task_is_not_asked_when_it_was_done(administrator: Any) -> None:
    assert 'name="done_at"' not in administrator.get("/base/tasks/new").text
    administrator.get("/base/tasks/new")
    made = administrator.post("/base/tasks/new", {"title": "Call Elena", "priority": "normal"})
    assert 'name="done_at"' in administrator.get(f"{made.location}/edit").text


def test_a_script_hears_where_to_go_instead_of_going_there(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    answer = administrator.post("/base/contacts/new", CONTACT, headers=SENT_BY_SCRIPT)
    assert answer.status_code == 204
    assert re.fullmatch(r"/base/contacts/\d+", answer.headers["Comptoir-Location"])


def test_a_form_whose_session_ended_says_so_to_a_script_and_leads_a_browser_back(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    administrator.client.delete_cookie("comptoir")
    assert administrator.post("/base/contacts/new", CONTACT, headers=SENT_BY_SCRIPT).status_code == 401
    assert administrator.post("/base/contacts/new", CONTACT).location == "/login?next=/base/contacts/new"
    assert administrator.post("/base/contacts/5/compose/base.note").location == "/login?next=/base/contacts/5"


def test_a_form_is_signed_in_again_without_leaving_it(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    administrator.client.delete_cookie("comptoir")
    form = administrator.client.get("/login/again?email=ana@example.org", headers={"HX-Request": "true"})
    assert "Sign in again" in form.text
    assert 'value="ana@example.org"' in form.text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', form.text)[0]
    wrong = {"csrf_token": token, "email": "ana@example.org", "password": "not it"}
    refused = administrator.client.post("/login", data=wrong, headers=SENT_BY_SCRIPT)
    assert refused.status_code == 422
    assert "do not match" in refused.text
    from comptoir.testing.platform import PASSWORD

    answer = administrator.client.post("/login", data={**wrong, "password": PASSWORD}, headers=SENT_BY_SCRIPT)
    assert answer.status_code == 204
    administrator.token = answer.headers["Comptoir-Token"]
    assert administrator.post("/base/contacts/new", CONTACT, headers=SENT_BY_SCRIPT).status_code == 204


def test_whoever_signed_in_meanwhile_gets_a_fresh_token_without_a_question(administrator: Any) -> None:
    answer = administrator.client.get("/login/again", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    administrator.token = answer.headers["Comptoir-Token"]
    assert administrator.post("/base/contacts/new", CONTACT).status_code == 303


def test_an_old_form_is_told_apart_from_a_missing_right(administrator: Any) -> None:
    administrator.token = "old"
    answer = administrator.post("/base/contacts/new", CONTACT, headers=SENT_BY_SCRIPT)
    assert (answer.status_code, answer.headers["Comptoir-Error"]) == (403, "core.csrf")


def test_signing_out_leaves_no_page_behind(administrator: Any) -> None:
    administrator.get("/account")
    assert administrator.post("/logout").headers["Clear-Site-Data"] == '"cache"'
