"""A plugin's own kind, and the kinds that came with it, at every entrance and on both engines."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from comptoir_paint.models import Shade

from comptoir.errors import RuleViolations
from comptoir.records.query import Compare, Not, Query, run
from comptoir.records.transfer.exporting import export_records
from comptoir.records.transfer.importing import import_table
from comptoir.records.transfer.mapping import parse_mapping
from comptoir.records.transfer.reading import read_table
from comptoir.testing.platform import PASSWORD, Stage
from comptoir.toolkit import Context, RecordRef, history_of, save

Call = Callable[..., Any]


def imported(ctx: Context, tmp_path: Any, text: str) -> list[str]:
    """Import a table of shades; what was wrong with its rows."""
    path = tmp_path / "shades.csv"
    path.write_text(text, encoding="utf-8")
    declared, problems = ctx.registry.record_type("paint.shade"), []
    table = read_table(path)
    mapping = parse_mapping(ctx, declared, table.columns)
    import_table(ctx, declared, table, mapping, listen=lambda problem, _row: problems.append(problem.message))
    return problems


class Person:
    """An administrator in a browser without JavaScript."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.token = ""
        self.get("/login")
        self.post("/login", email="ana@example.org", password=PASSWORD)
        self.get("/account")

    def get(self, path: str) -> str:
        page: str = self.client.get(path).text
        found = re.search(r'name="csrf-token" content="([^"]+)"', page)
        self.token = found[1] if found else self.token
        return page

    def post(self, path: str, **fields: str) -> Any:
        return self.client.post(path, data={"csrf_token": self.token, **fields})


@pytest.fixture
def person(client: Any, stage: Stage) -> Person:
    stage.user(administrator=True, email="ana@example.org")
    return Person(client)


def test_a_form_reads_it_as_people_type_it(person: Person, stage: Stage) -> None:
    answer = person.post(
        "/paint/shades/new",
        name="Sea",
        colour="ABC",
        drying="1h 30",
        origin="România",
        uses="wall, door",
        zone="Europe/Sofia",
    )
    assert answer.status_code == 303, answer.text
    with stage.system() as ctx:
        (made,) = ctx.session.query(Shade).all()
        assert (made.colour, made.drying, made.origin, made.uses, made.zone) == (
            "#aabbcc", 90, "RO", ["wall", "door"], "Europe/Sofia",
        )  # fmt: skip


def test_a_form_says_at_the_field_what_it_cannot_read(person: Person) -> None:
    answer = person.post("/paint/shades/new", name="Sea", colour="sea", drying="an hour", seen_on="the wall")
    assert answer.status_code == 422
    for cure in ("a colour such as #a0b1c2", "a length of time such as 1h 30", "the address of the record"):
        assert cure in answer.text


def test_a_list_and_a_page_show_it_as_its_kind_says(person: Person, stage: Stage) -> None:
    with stage.system() as ctx:
        made = Shade(name="Sea", colour="#aabbcc", drying=90, origin="RO", uses=["wall"], stock=4)
        save(ctx, [made])
    listed = person.get("/paint/shades")
    for text in ("#AABBCC", "1 h 30 min", "Romania", "wall", ">8<"):
        assert text in listed, text
    assert "#AABBCC" in person.get(f"/paint/shades/{made.id}")
    assert 'value="1h 30"' in person.get(f"/paint/shades/{made.id}/edit")


def test_the_api_takes_and_gives_it_strictly(api: Call) -> None:
    answer = api("POST", "/paint/shades", {"name": "Sea", "colour": "ABC"})
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == ["colour"]
    made = api(
        "POST", "/paint/shades", {"name": "Sea", "colour": "#aabbcc", "drying": 90, "uses": ["wall"], "stock": 4}
    )
    assert made.status_code == 201, made.text
    assert (made.json["colour"], made.json["uses"], made.json["promised"]) == ("#aabbcc", ["wall"], 8)


@pytest.mark.parametrize(
    ("field", "value", "cure"),
    [
        ("origin", 7, "text"),
        ("zone", "Europe/Atlantis", "Europe/Bucharest"),
        ("uses", "wall", "list of texts"),
        ("uses", ["a,b"], "tag"),
        ("uses", ["a", "a"], "twice"),
        ("drying", -1, "0 or more"),
        ("seen_on", "wall", "sales.deal/7"),
        ("promised", 8, "server keeps"),
    ],
)
def test_the_api_says_what_to_give_instead(api: Call, field: str, value: Any, cure: str) -> None:
    answer = api("POST", "/paint/shades", {"name": "Sea", field: value})
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field]
    assert cure in answer.json["errors"][field][0]


def test_a_country_is_kept_by_its_code_and_an_unknown_one_as_typed(api: Call, stage: Stage, tmp_path: Any) -> None:
    assert api("POST", "/paint/shades", {"name": "Sea", "origin": "Roemenië"}).json["origin"] == "RO"
    assert api("POST", "/paint/shades", {"name": "Sky", "origin": "Atlantis"}).json["origin"] == "Atlantis"
    assert [row["name"] for row in api("GET", "/paint/shades?filter[origin]=Romania").json["data"]] == ["Sea"]
    with stage.system() as ctx:
        (said,) = imported(ctx, tmp_path, "name,origin\nAsh,Atlantis\n")
        assert "no country is called so" in said


def test_an_import_reads_it_and_an_export_gives_it_back(stage: Stage, tmp_path: Any) -> None:
    with stage.system() as ctx:
        assert not imported(ctx, tmp_path, 'name,colour,drying,origin,uses\nSea,ABC,1:30,Țările de Jos,"wall, door"\n')
        (made,) = ctx.session.query(Shade).all()
        assert (made.colour, made.drying, made.origin, made.uses) == ("#aabbcc", 90, "NL", ["wall", "door"])
        written = io.BytesIO()
        export_records(
            ctx, ctx.registry.record_type("paint.shade"), Query(fields=("colour", "uses", "origin")), written
        )
        assert '#aabbcc,"wall, door",NL' in written.getvalue().decode()


def test_an_import_names_the_row_that_it_cannot_read(stage: Stage, tmp_path: Any) -> None:
    with stage.system() as ctx:
        assert any("a colour such as" in said for said in imported(ctx, tmp_path, "name,colour\nSea,blue\n"))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("filter[colour]=%23aabbcc", ["Sea"]),
        ("filter[colour][in]=%23aabbcc,%23111111", ["Sea", "Sky"]),
        ("filter[drying][gte]=60", ["Sea"]),
        ("filter[origin]=RO", ["Sea"]),
        ("filter[uses][has]=wall", ["Sea", "Sky"]),
        ("filter[uses][has_not]=wall", ["Ash"]),
        ("filter[uses][has]=wal", []),
        ("filter[uses][has]=%C8%99ur%C4%83", ["Sky"]),
        ("filter[uses][is_null]=true", ["Ash"]),
    ],
)
def test_filters_compare_as_the_kind_says(api: Call, asked: str, found: list[str]) -> None:
    for values in (
        {"name": "Sea", "colour": "#aabbcc", "drying": 90, "origin": "RO", "uses": ["wall", "door"]},
        {"name": "Sky", "colour": "#111111", "drying": 30, "uses": ["șură", "wall"]},
        {"name": "Ash"},
    ):
        assert api("POST", "/paint/shades", values).status_code == 201
    answer = api("GET", f"/paint/shades?fields=name&sort=name&{asked}")
    assert answer.status_code == 200, answer.text
    assert [row["name"] for row in answer.json["data"]] == sorted(found)


@pytest.mark.parametrize("asked", ["filter[promised]=8", "sort=promised", "filter[uses]=wall", "sort=uses"])
def test_what_a_kind_does_not_offer_is_refused(api: Call, asked: str) -> None:
    assert api("GET", f"/paint/shades?{asked}").status_code in (400, 422)


def test_openapi_describes_it(api: Call) -> None:
    schema = api("GET", "/openapi.json").json["components"]["schemas"]["paint.shade"]["properties"]
    assert schema["colour"]["pattern"] == "^#[0-9a-f]{6}$"
    assert schema["uses"]["type"] == ["array", "null"]
    assert schema["drying"]["minimum"] == 0


def test_what_is_computed_from_hidden_fields_is_hidden_too(api: Call, api_for: Callable[..., Call]) -> None:
    made = api("POST", "/paint/shades", {"name": "Sea", "price": "5.00"}).json
    assert made["dear"] == "5.00"
    seen = api_for({"paint.shade.read": "all"})("GET", f"/paint/shades/{made['id']}").json
    assert "price" not in seen
    assert "dear" not in seen


def test_only_what_was_asked_for_comes_with_a_computed_field(api: Call) -> None:
    api("POST", "/paint/shades", {"name": "Sea", "stock": 2})
    (row,) = api("GET", "/paint/shades?fields=promised").json["data"]
    assert set(row) == {"id", "version", "promised"}


def test_the_history_keeps_it(ctx: Context) -> None:
    made = Shade(name="Sea", colour="#aabbcc", uses=["wall"], seen_on=RecordRef("base.user", 1))
    with pytest.raises(RuleViolations):
        save(ctx, [made])
    made.seen_on = None
    save(ctx, [made])
    assert history_of(ctx, made)[0].changes["uses"] == [None, ["wall"]]


def test_code_filters_by_it(ctx: Context) -> None:
    save(ctx, [Shade(name="Sea", uses=["wall"]), Shade(name="Ash")])
    declared = ctx.registry.record_type("paint.shade")
    has = Compare("uses", "has", "wall")
    assert [row["name"] for row in run(ctx, declared, Query(where=has)).rows] == ["Sea"]
    assert [row["name"] for row in run(ctx, declared, Query(where=Not(has))).rows] == ["Ash"]
