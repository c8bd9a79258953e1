"""Saved views through the API: the same record, the same refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

VIEWS = "/base/views"
READS = {"base.contact.read": "all"}
VIP = {"name": "VIP", "page": "list", "subject": "base.contact", "query": "filter[status]=vip"}


def test_a_view_is_made_shared_and_deleted(api_for: Callable[..., Any]) -> None:
    ana, ion = api_for(READS, name="Ana"), api_for(READS, name="Ion")
    made = ana.post(VIEWS, VIP)
    place = f"{VIEWS}/{made.json['id']}"
    assert ion.get(VIEWS).json["data"] == []
    assert ion.get(place).status_code == 404
    shared = ana.patch(place, {"shared": True}, headers={"If-Match": made.headers["ETag"]})
    seen = {"If-Match": shared.headers["ETag"]}
    assert [found["name"] for found in ion.get(VIEWS).json["data"]] == ["VIP"]
    assert ion.patch(place, {"name": "Mine"}, headers=seen).status_code == 403
    assert ion.delete(place, headers=seen).status_code == 403
    assert ana.delete(place, headers=seen).status_code == 204


def test_what_shows_nothing_is_refused_at_its_field(api_for: Callable[..., Any]) -> None:
    ana = api_for(READS)
    for field, wrong in (("subject", "base.task"), ("query", "filter[nonsense]=1"), ("name", "")):
        answer = ana.post(VIEWS, {**VIP, field: wrong})
        assert answer.status_code == 422
        assert field in answer.text


def test_a_token_for_something_else_keeps_no_views(api_for: Callable[..., Any]) -> None:
    ana = api_for(READS, scopes=("shop",))
    assert ana.post(VIEWS, VIP).status_code == 403
