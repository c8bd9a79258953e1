"""One broken plugin per guard: each is set aside with a reason that says what to mend, and the rest serves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from comptoir.base.models import Contact, Task
from comptoir.deployment import Deployment
from comptoir.errors import WriteRefused
from comptoir.records.write import save
from comptoir.registry.discover import Available, discover_plugins
from comptoir.registry.registry import build_registry

HERE = Path(__file__).parent

REASONS = {
    "syntax_error": "It cannot be imported: SyntaxError",
    "missing_import": "No module named 'a_library_that_nobody_has'",
    "crash_at_import": "RuntimeError: the licence server is away (plugin.py, line 3)",
    "exit_at_import": "It cannot be imported: SystemExit: no licence (plugin.py, line 5)",
    "exit_at_build": "contribute raised SystemExit: 3 (plugin.py, line 12)",
    "no_contribution": "contribute returned 'sales.deals', which is neither a model nor a contribution",
    "city": "base.contact has a field “city” already, which would hide the fields of Counted. Rename the plugin",
    "twin_extensions": "First and Second both bring the field “size” to base.contact. Rename one",
    "odd_rule": "The rules of Contact: check_contacts must take (ctx, changes), as check is called with these",
    "idle_rules": "The rules of Contact do nothing. Give them a function",
    "open_page": "The page /calls must state a permission, or that it is public",
    "odd_path": "The path calls/<int:id> must look like /calls or /calls/{id}",
    "odd_parameter": "The parameter since of /calls is of type complex. Known: str, int, bool, Decimal, date, datetime",
    "empty_tile": "The tile empty_tile.nothing has neither a template nor kpis. Give it one",
    "no_manifest": "has no manifest. Add: manifest = Manifest",
    "wrong_core": "It needs core >=9; this is",
    "misspelt_hook": "There is no hook contribute_modles",
    "wrong_argument": "A hook does not match its specification",
    "hook_raises": "contribute raised ZeroDivisionError: division by zero (plugin.py, line 10)",
    "hook_no_list": "contribute must return a list",
    "foreign_name": "the name sales.everything must begin with “foreign_name.”",
    "twice_the_same": "Permission: twice_the_same.go is given twice",
    "odd_scope": "grants base.contact.read with scope galaxy; use own, team or all",
    "foreign_table": "The table elsewhere_thing must begin with “foreign_table_”",
    "no_record_type": "Thing has no __record__ declaration",
    "no_title": "Thing has no title field. Give one field title=True",
    "unknown_role": "Thing.name has the role headline, which does not exist. Known: face, status, tags, subtitle,",
    "odd_role": "Thing.name cannot have the role dial, which is for a phone number",
    "odd_summary": "Thing.day cannot be a key of a summary: give a day by its month or week, as day:month.",
    "role_on_extension": "ThingContact.district cannot have the role place: only a record's own field has it",
    "no_ondelete": "no_ondelete_thing.contact_id does not say what happens when the row it points at goes: give ondelete",
    "undeclared_need": "undeclared_need_thing.product_id points at catalog_product; name the module it belongs to",
    "no_rule": "Count declares no access rule. Set __visible__",
    "required_extension": "ThingContact.size is required, but most records have no row. Give it a default",
    "bad_relationship": "Its models do not fit together",
    "foreign_screens": "It contributes screens for base.contact, which is not its own",
    "tab_on_nothing": "The tab tab_on_nothing.tab hangs on name, which is no reference",
    "template_elsewhere": "The template sales/box.html must lie in template_elsewhere/",
}


REFUSALS = {
    "writes_unsaved": "sector changed without save",
    "writes_by_statement": "Contact: records are changed with save; mark a statement on many of them with ctx.bulk",
    "keeps_by_statement": "Contact.version is kept by the server",
    "adds_to_the_session": "Task created without save",
    "deletes_by_session": "deleted without delete",
    "changes_in_a_check": "job_title changed without save",
}
"""Plugins that write past the one write path, with what they are told."""

HANGING = {"blocks"}
"""Plugins that do not come back: `tests/core/web/test_bulkhead.py` and `tests/core/jobs/test_limits.py` try them."""


@pytest.fixture
def importable() -> Iterator[None]:
    """The folder of the broken plugins on the import path, and nothing of them left behind."""
    sys.path.insert(0, str(HERE))
    try:
        yield
    finally:
        sys.path.remove(str(HERE))


def broken(name: str, **values: object) -> Available:
    return Available(name, f"comptoir_{name}.plugin", "1.0", **values)  # type: ignore[arg-type]


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize("name", sorted(REASONS))
def test_a_broken_plugin_is_set_aside_with_its_reason_and_the_rest_is_built(name: str) -> None:
    available = {**discover_plugins(), name: broken(name)}

    registry = build_registry(available, ["catalog", name])

    assert REASONS[name] in registry.quarantined[name].reason
    assert list(registry.plugins) == ["base", "catalog"]


def test_a_plugin_that_is_no_longer_installed_is_named() -> None:
    registry = build_registry(discover_plugins(), ["gone"])

    assert "not installed" in registry.quarantined["gone"].reason


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ({"telescope": ""}, "It needs the module telescope, which is not installed."),
        ({"catalog": ">=7"}, "It needs catalog >=7; installed is"),
        ({"catalog": ""}, "It needs the module catalog, which is not running."),
    ],
)
def test_a_plugin_without_what_it_needs_is_set_aside(requires: dict[str, str], reason: str) -> None:
    available = {**discover_plugins(), "needy": broken("needy", requires=requires)}

    registry = build_registry(available, ["needy"])

    assert reason in registry.quarantined["needy"].reason


@pytest.mark.usefixtures("importable")
def test_who_needs_a_broken_plugin_is_set_aside_too() -> None:
    available = {
        **discover_plugins(),
        "exit_at_import": "It cannot be imported: SystemExit: no licence (plugin.py, line 5)",
        "exit_at_build": "contribute raised SystemExit: 3 (plugin.py, line 12)",
        "no_contribution": "contribute returned 'sales.deals', which is neither a model nor a contribution",
        "city": "base.contact has a field “city” already, which would hide the fields of Counted. Rename the plugin",
        "twin_extensions": "First and Second both bring the field “size” to base.contact. Rename one",
        "odd_rule": "The rules of Contact: check_contacts must take (ctx, changes), as check is called with these",
        "idle_rules": "The rules of Contact do nothing. Give them a function",
        "open_page": "The page /calls must state a permission, or that it is public",
        "odd_path": "The path calls/<int:id> must look like /calls or /calls/{id}",
        "odd_parameter": "The parameter since of /calls is of type complex. Known: str, int, bool, Decimal, date, datetime",
        "empty_tile": "The tile empty_tile.nothing has neither a template nor kpis. Give it one",
        "no_manifest": broken("no_manifest"),
        "needy": broken("needy", requires={"no_manifest": ""}),
    }

    registry = build_registry(available, ["no_manifest", "needy"])

    assert set(registry.quarantined) == {"no_manifest", "needy"}
    assert list(registry.plugins) == ["base"]


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_what_a_plugin_writes_past_the_writer_is_refused_by_name_and_nothing_stands(
    name: str, deployment: Deployment
) -> None:
    registry = build_registry({**discover_plugins(), name: broken(name)}, [name])

    def change_a_contact() -> None:
        with deployment.system_context("test", registry=registry) as ctx:
            contact = ctx.session.get_one(Contact, contact_id)
            contact.name = "Mega Fruct SRL"
            save(ctx, [contact])

    with deployment.system_context("test") as ctx:
        made = Contact(name="Mega Fruct")
        save(ctx, [made])
        contact_id = made.id
    with pytest.raises(WriteRefused) as refusal:
        change_a_contact()
    assert REFUSALS[name] in str(refusal.value)
    with deployment.system_context("test", write=False) as ctx:
        assert [(c.name, c.sector, c.version) for c in ctx.session.scalars(select(Contact))] == [
            ("Mega Fruct", None, 1)
        ]
        assert ctx.session.scalars(select(Task)).all() == []


def test_every_broken_plugin_is_tried() -> None:
    folders = {path.name.removeprefix("comptoir_") for path in HERE.glob("comptoir_*")}

    assert folders == set(REASONS) | set(REFUSALS) | HANGING
