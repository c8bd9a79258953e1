"""Whatever stands where an id belongs, the answer is never a fault of ours."""

from __future__ import annotations

from typing import Any

import pytest

STRANGE = ["9" * 25, "9" * 5000, "²", "-1", "0", "x", "9223372036854775807", "9223372036854775808"]


@pytest.mark.parametrize(
    "path", ["/settings/users/{}", "/settings/roles/{}", "/base/contacts/{}", "/base/contacts/{}/edit"]
)
def test_an_address_with_a_strange_id_is_not_there(administrator: Any, path: str) -> None:
    assert {administrator.get(path.format(text)).status_code for text in STRANGE} == {404}


def test_a_form_with_strange_ids_is_answered(administrator: Any) -> None:
    administrator.get("/settings/users/new")
    user = {"password": "a long enough secret", "language": "en", "active": "1"}
    for number, text in enumerate(STRANGE):
        fields = {**user, "name": f"User {number}", "email": f"u{number}@example.com", "team_id": text, "roles": text}
        assert administrator.post("/settings/users/new", fields).status_code < 500
        deed = {"ids": text, "action": "assign", "owner_id": text}
        assert administrator.post("/base/contacts/bulk", deed).status_code < 500
