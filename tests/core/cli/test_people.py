"""Users, roles and tokens from the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from comptoir.access.tokens import find_token
from comptoir.deployment import Deployment

from .conftest import ADMIN, PASSWORD, CommandLine


def test_a_user_is_added_with_roles(comptoir: CommandLine) -> None:
    added = comptoir.done("users", "add", "Ion@Example.com", "--name", "Ion Rus", "--role", "Employee")
    assert "with the password" in added.out
    row = next(row for row in comptoir.done("users", "list", "--json").rows if row["name"] == "Ion Rus")
    assert row["email"] == "Ion@Example.com"
    assert row["roles"] == ["Employee"]
    assert row["signs_in"]
    assert "has the address" in comptoir.refused("users", "add", "ION@example.com", "--password", PASSWORD)


def test_a_refused_user_leaves_nothing_behind(comptoir: CommandLine) -> None:
    assert "There is no role Pirate. There are: Administrator" in comptoir.refused(
        "users", "add", "new@example.com", "--password", PASSWORD, "--role", "Pirate"
    )
    assert "There is no team Nowhere" in comptoir.refused(
        "users", "add", "new@example.com", "--password", PASSWORD, "--team", "Nowhere"
    )
    assert "new@example.com" not in comptoir.done("users", "list", "--json").out


def test_a_user_is_disabled_and_enabled(comptoir: CommandLine) -> None:
    comptoir.done("users", "add", "eva@example.com", "--no-sign-in")
    comptoir.done("users", "disable", "eva@example.com")
    comptoir.done("users", "disable", "EVA@example.com")
    assert active(comptoir, "eva@example.com") is False
    comptoir.done("users", "enable", "eva@example.com")
    assert active(comptoir, "eva@example.com") is True


def active(comptoir: CommandLine, email: str) -> object:
    return next(row["active"] for row in comptoir.done("users", "list", "--json").rows if row["email"] == email)


def test_the_last_administrator_stays(comptoir: CommandLine) -> None:
    assert "Nobody could administer" in comptoir.refused("users", "disable", ADMIN)
    assert "Nobody could administer" in comptoir.refused("users", "roles", ADMIN, "--revoke", "Administrator")
    assert comptoir.done("users", "roles", ADMIN, "--json").rows[0]["template"] == "base.administrator"


def test_roles_are_given_and_taken(comptoir: CommandLine) -> None:
    comptoir.done("users", "add", "rolf@example.com", "--no-sign-in")
    given = comptoir.done(
        "users", "roles", "rolf@example.com", "--grant", "Employee", "--grant", "sales.agent", "--json"
    )
    assert {row["template"] for row in given.rows} == {"base.employee", "sales.agent"}
    left = comptoir.done("users", "roles", "rolf@example.com", "--revoke", "Employee", "--json")
    assert [row["template"] for row in left.rows] == ["sales.agent"]
    everything = {row["template"]: row["users"] for row in comptoir.done("users", "roles", "--json").rows}
    assert everything["sales.agent"] == 1


def test_a_password_is_set(comptoir: CommandLine) -> None:
    assert "Changed the password" in comptoir.done("users", "passwd", ADMIN, "--password", "another long secret").out
    assert "at least 10 characters" in comptoir.refused("users", "passwd", ADMIN, "--password", "short")
    assert "no user with the address" in comptoir.refused("users", "passwd", "nobody@example.com")


def test_seats_are_kept(comptoir: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPTOIR_ENTITLEMENT__SEATS", "1")
    assert "All seats are taken" in comptoir.refused("users", "add", "more@example.com", "--password", PASSWORD)


def test_a_token_is_shown_once_and_revoked(comptoir: CommandLine, made: Path) -> None:
    plain = comptoir.done("tokens", "create", "--user", ADMIN, "--scope", "sales", "--name", "ERP").out.strip()
    listed = comptoir.done("tokens", "list", "--json")
    assert plain not in listed.out
    row = listed.rows[0]
    assert (row["name"], row["scopes"], row["prefix"]) == ("ERP", ["sales"], plain[:12])
    assert is_live(made, plain)
    comptoir.done("tokens", "revoke", str(row["id"]))
    assert not is_live(made, plain)


def is_live(config: Path, plain: str) -> bool:
    deployment = Deployment.open(config)
    try:
        with deployment.system_context("test", write=False) as ctx:
            return find_token(ctx.bookkeeping("test"), plain, ctx.now()) is not None
    finally:
        deployment.close()


def test_a_token_needs_a_user_and_known_scopes(comptoir: CommandLine) -> None:
    assert "no user with the address" in comptoir.refused("tokens", "create", "--user", "nobody@example.com")
    assert "There is no permission fly" in comptoir.refused("tokens", "create", "--user", ADMIN, "--scope", "fly")
    assert "There is no token" in comptoir.refused("tokens", "revoke", "999")


def test_listings_are_tables_for_people(comptoir: CommandLine) -> None:
    lines = comptoir.done("users", "list").out.splitlines()
    assert lines[0].startswith("Name")
    assert any(ADMIN in line for line in lines[1:])


def test_a_new_password_ends_the_tokens_and_says_so(comptoir: CommandLine) -> None:
    comptoir.done("users", "add", "tok@example.com", "--password", PASSWORD)
    comptoir.done("tokens", "create", "--user", "tok@example.com")
    kept = comptoir.done("users", "passwd", "tok@example.com", "--password", "another long phrase", "--keep-tokens")
    assert "token" not in kept.out + kept.err
    ended = comptoir.done("users", "passwd", "tok@example.com", "--password", "a third long phrase")
    assert "1 API token no longer works." in ended.err
    assert [row["revoked"] for row in comptoir.done("tokens", "list", "--user", "tok@example.com", "--json").rows] == [
        True
    ]


def test_the_security_log_is_listed(comptoir: CommandLine) -> None:
    comptoir.done("users", "add", "log@example.com", "--password", PASSWORD)
    found = comptoir.done("audit", "list", "--person", "log@example.com", "--json").rows
    assert [(row["kind"], row["actor"]) for row in found] == [("user_added", "comptoir users add")]
    assert "log@example.com" in comptoir.done("audit", "list", "--kind", "user_added").out
    assert "There is no kind" in comptoir.refused("audit", "list", "--kind", "nonsense")
    assert "Give a day" in comptoir.refused("audit", "list", "--from", "yesterday")


def test_the_data_of_a_paused_module_is_exported(comptoir: CommandLine) -> None:
    comptoir.done("modules", "pause", "sales")
    try:
        assert comptoir.done("export", "sales.deal").out.lstrip("\ufeff").startswith("name,")
        assert "There is no record type" in comptoir.refused("export", "sales.nonsense")
        assert comptoir.done("export", "base.contact", "--paused").out
    finally:
        comptoir.done("modules", "resume", "sales")
    [event, *_rest] = comptoir.done("audit", "list", "--kind", "data_exported", "--json").rows
    assert (event["actor"], event["about"]) == ("comptoir export", "base.contact")
