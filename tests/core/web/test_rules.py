"""Rules that learn to write addresses late write the same ones."""

import pytest
from werkzeug.routing import Map, Rule

from comptoir.web.app import LazyRule


def both(path: str) -> tuple[Map, Map]:
    return Map([LazyRule(path, endpoint="page")]), Map([Rule(path, endpoint="page")])


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/", {}),
        ("/sales/deals/<int:number>", {"number": 7}),
        ("/sales/deals/<int:number>", {"number": 7, "page": "2", "q": "ș & țară"}),
        ("/static/<version>/<path:path>", {"version": "1", "path": "css/a b.css"}),
    ],
)
def test_an_address_is_the_same_each_time(path: str, values: dict[str, object]) -> None:
    late, plain = (rules.bind("example.com") for rules in both(path))
    expected = plain.build("page", values)
    assert [late.build("page", values), late.build("page", values)] == [expected, expected]


def test_matching_needs_no_learning() -> None:
    late, _plain = both("/sales/deals/<int:number>")
    assert late.bind("example.com").match("/sales/deals/7") == ("page", {"number": 7})
