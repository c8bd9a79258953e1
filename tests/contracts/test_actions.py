"""A stranger's action asks for input: the same form as a move's on the page, the same rules in the API."""

from __future__ import annotations

import re
from typing import Any

import pytest

from comptoir.base.models import Contact
from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import enable_modules
from comptoir.records.write import save

pytestmark = pytest.mark.usefixtures("stranger")


@pytest.fixture
def contacts(deployment: Deployment, administrator: Any) -> dict[str, int]:
    """Three contacts, of whom the first has a reward of 100 points, the only one there is."""
    enable_modules(deployment, ["loyalty"])
    from comptoir_loyalty.models import Reward

    with deployment.system_context("fill") as ctx:
        made = [Contact(name=name) for name in ("Mega Fruct SRL", "Tea House", "Dacia Corner")]
        save(ctx, made)
        save(ctx, [Reward(reason="First order", contact_id=made[0].id, points=100)])
        return {contact.name: contact.id for contact in made}


PAGE = "/loyalty/rewards/1/actions/pass_on"


def fields(page: str) -> dict[str, str]:
    """What the inputs of the form hold, by name."""
    form = page.partition('id="ask-form"')[2].partition("</form>")[0]
    inputs = {
        name[1]: value[1] if (value := re.search(r' value="([^"]*)"', tag)) else ""
        for tag in re.findall(r"<input[^>]*>", form)
        if (name := re.search(r' name="([^"]*)"', tag))
    }
    chosen = {
        name: found[1] if (found := re.search(r'<option value="([^"]*)" selected', body)) else ""
        for name, body in re.findall(r'<select[^>]* name="([^"]*)".*?>(.*?)</select>', form, re.DOTALL)
    }
    return {**inputs, **chosen}


def error_at(page: str, name: str) -> str:
    found = re.search(rf'id="f-ask-{name}-e">.*?<span>(.*?)</span>', page, re.DOTALL)
    return found[1] if found else ""


def test_its_button_leads_to_a_form_that_opens_as_a_dialog(contacts: dict[str, int], administrator: Any) -> None:
    page = administrator.get("/loyalty/rewards/1").text
    assert re.search(rf'<a class="btn[^"]*" href="{PAGE}" data-dialog-link="dlg--narrow" role="button">', page)
    part = administrator.client.get(PAGE, headers={"HX-Request": "true"}).text
    assert "ask-form" in part
    assert "<html" not in part


def test_the_form_begins_with_what_is_given(
    contacts: dict[str, int], administrator: Any, deployment: Deployment
) -> None:
    page = administrator.get(PAGE).text
    with deployment.system_context("look", write=False) as ctx:
        today = ctx.today().isoformat()
    shown = fields(page)
    assert (shown["contact_id"], shown["points"], shown["why"]) == (str(contacts["Mega Fruct SRL"]), "50", "")
    assert (shown["occasion"], shown["on"], shown["version"]) == ("", today, "1")
    assert "Today at the latest." in page
    assert '<option value="birthday">Birthday</option>' in page


def test_what_is_typed_is_done_and_leads_to_what_it_made(contacts: dict[str, int], administrator: Any) -> None:
    sent = {**fields(administrator.get(PAGE).text), "contact_id": str(contacts["Tea House"]), "why": "Thanks"}
    answer = administrator.post(PAGE, {**sent, "points": "30", "occasion": "birthday"})
    assert (answer.status_code, answer.location) == (303, "/loyalty/rewards/2")
    made = administrator.json("/loyalty/rewards/2")
    assert (made["reason"], made["contact_id"], made["points"]) == ("Thanks (birthday)", contacts["Tea House"], 30)


def test_what_is_wrong_is_said_at_its_input_and_what_was_typed_stays(
    contacts: dict[str, int], administrator: Any
) -> None:
    sent = {
        "version": "1",
        "contact_id": str(contacts["Tea House"]),
        "points": "many",
        "why": "",
        "occasion": "birthday",
    }
    answer = administrator.post(PAGE, sent)
    assert answer.status_code == 422
    shown = fields(answer.text)
    assert (shown["points"], shown["contact_id"], shown["occasion"]) == ("many", str(contacts["Tea House"]), "birthday")
    assert "number" in error_at(answer.text, "points")

    answer = administrator.post(PAGE, {**sent, "points": "30"})
    assert (answer.status_code, error_at(answer.text, "why")) == (422, "Fill in Why.")
    assert administrator.json("/loyalty/rewards")["meta"]["total"] == 1


def test_the_refusal_of_the_plugin_stands_where_it_belongs(contacts: dict[str, int], administrator: Any) -> None:
    sent = {"version": "1", "contact_id": str(contacts["Tea House"]), "why": "Thanks"}
    too_many = administrator.post(PAGE, {**sent, "points": "101"})
    assert (too_many.status_code, error_at(too_many.text, "points")) == (422, "There are only 100.")
    of_the_whole = administrator.post(PAGE, {**sent, "points": "100"})
    assert of_the_whole.status_code == 422
    assert re.search(r'role="alert">.*Nobody gives all of it without an occasion\.', of_the_whole.text)


def test_it_is_done_only_on_the_version_that_was_seen(contacts: dict[str, int], administrator: Any) -> None:
    sent = {"version": "7", "contact_id": str(contacts["Tea House"]), "why": "Thanks", "points": "1"}
    assert administrator.post(PAGE, sent).status_code == 409
    assert administrator.json("/loyalty/rewards")["meta"]["total"] == 1


def test_a_reference_among_many_is_searched_for_and_keeps_its_name(
    contacts: dict[str, int], administrator: Any, deployment: Deployment
) -> None:
    with deployment.system_context("fill") as ctx:
        save(ctx, [Contact(name=f"Shop {number}") for number in range(40)])
    page = administrator.get(PAGE).text
    assert 'data-combo="/base/contacts/options"' in page
    assert fields(page)["contact_id.text"] == "Mega Fruct SRL"

    sent = {"version": "1", "contact_id": "", "contact_id.text": "Tea", "points": "30", "why": "Thanks"}
    answer = administrator.post(PAGE, sent)
    assert (answer.status_code, error_at(answer.text, "contact_id")) == (422, "Choose one from the list.")
    assert fields(answer.text)["contact_id.text"] == "Tea"
    answer = administrator.post(PAGE, {**sent, "contact_id": str(contacts["Tea House"]), "points": "many"})
    assert fields(answer.text)["contact_id.text"] == "Tea House"
    assert administrator.post(PAGE, {**sent, "contact_id.text": "Tea House"}).status_code == 303


def test_whoever_may_not_do_it_is_not_asked(
    contacts: dict[str, int], administrator: Any, make_user: Any, deployment: Deployment
) -> None:
    rights = {"loyalty.reward.read": "all", "base.contact.read": "all"}
    make_user("Radu", grants=rights, email="radu@example.org")
    reader = type(administrator)(deployment, "radu@example.org")
    assert PAGE not in reader.get("/loyalty/rewards/1").text
    assert reader.get(PAGE).status_code == 404
    assert reader.post(PAGE, {"version": "1"}).status_code == 404


def test_the_api_asks_for_the_same(contacts: dict[str, int], administrator: Any) -> None:
    address = "/loyalty/rewards/1/actions/pass_on"
    refused = administrator.send(address, {"points": 101, "why": "Thanks", "colour": "red"})
    assert (refused.status_code, refused.json["errors"]) == (422, {"colour": ["There is no such field."]})
    refused = administrator.send(address, {"points": 101, "why": "Thanks"})
    assert (refused.status_code, refused.json["errors"]) == (422, {"points": ["There are only 100."]})
    made = administrator.send(address, {"why": "Thanks", "occasion": "move"})
    assert (made.status_code, made.json["reason"], made.json["points"]) == (200, "Thanks (move)", 50)
    described = administrator.json("/openapi.json")["paths"][f"/api/v1{address}".replace("/1/", "/{id}/")]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["contact_id", "points", "why"]
    assert schema["properties"]["occasion"]["enum"] == ["birthday", "move", None]
