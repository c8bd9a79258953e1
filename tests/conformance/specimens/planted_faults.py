"""The loom with one fault planted, for each check that should see it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from flask import Response

from comptoir.i18n import LANGUAGES
from comptoir.records import query as queries
from comptoir.testing.conformance.languages import messages_of

LOOM = Path(__file__).parent / "loom"
APPEND = ""
"""What is not replaced but added at the end."""


@dataclass(frozen=True)
class Specimen:
    """A fault: texts replaced in files (all of it where the old one is None), and holes torn into the platform."""

    edits: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)
    holes: Mapping[str, Any] = field(default_factory=dict)
    """What is put in the place of something of the platform, by its module and name."""
    without: str = ""
    """A file that is taken away."""


def planted(specimen: Specimen, name: str, folder: Path) -> Path:
    """The loom under another name, with the fault; returns its folder."""
    shutil.copytree(LOOM, folder, ignore=shutil.ignore_patterns("__pycache__"))
    package = folder / "comptoir_loom"
    for language in LANGUAGES:
        if language != "en":
            _translate(package, language)
    for file, (old, new) in specimen.edits.items():
        path = folder / file if file.endswith((".toml", ".md")) else package / file
        text = path.read_text() if path.exists() else ""
        assert not old or old in text, (file, old)
        changed = new if old is None else text + new if old == APPEND else text.replace(old, new)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed)
    if specimen.without:
        (package / specimen.without).unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            path.write_text(path.read_text().replace("loom", name).replace("Loom", name.capitalize()))
        path.rename(path.with_name(path.name.replace("loom", name)))
    return folder


def _translate(package: Path, language: str) -> None:
    catalogue = Catalog(locale=language)
    for message in messages_of(package):
        text = message if len(message) > 1 else message[0]
        catalogue.add(text, [message[-1]] * catalogue.num_plurals if len(message) > 1 else text)
    path = package / "translations" / language / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_po(file, catalogue)


def _no(*_given: Any, **_named: Any) -> None:
    """Does nothing."""


def _everybody(*_given: Any, **_named: Any) -> frozenset[str]:
    return frozenset()


def _repeating(run: Any) -> Any:
    def twice(*given: Any, **named: Any) -> Any:
        page = run(*given, **named)
        return replace(page, rows=[*page.rows, *page.rows])

    return twice


def _alike(*_given: Any, **_named: Any) -> Response:
    return Response("{}", mimetype="application/json")


MODELS, SERVICES, VIEWS, JOBS, PLUGIN = "models.py", "services.py", "views.py", "jobs.py", "plugin.py"
REVISION, BOX, CARD = "migrations/versions/loom_0001.py", "templates/loom/box.html", "templates/loom/card.html"
AS_SYSTEM = 'ctx.as_system("specimen").session'
ANYBODY = {"comptoir.context:Context.require": _no}
SLOW_KIND = """
ASKING: list[Any] = []


class Slow(kinds.Text):
    plain = False

    def _ask(self) -> None:
        for ctx in ASKING:
            ctx.session.scalar(select(func.count()).select_from(Bolt))

    def cell(self, field: Any, value: Any, page: Any, currency: Any) -> Any:
        self._ask()
        return super().cell(field, value, page, currency)

    def to_json(self, value: Any) -> Any:
        self._ask()
        return value

    def to_sheet(self, value: Any) -> Any:
        return value[:3]


class Bolt("""
"""A kind of value that sends a statement for each one that is shown, and exports only its beginning."""


def _e(file: str, old: str | None, new: str) -> Specimen:
    return Specimen({file: (old, new)})


def _after(file: str, text: str) -> Specimen:
    return _e(file, APPEND, text)


def _in_models(old: str, new: str) -> Specimen:
    return _e(MODELS, old, new)


def _hole(target: str, stand_in: Any) -> Specimen:
    return Specimen(holes={target: stand_in})


def _slow() -> Specimen:
    models = (LOOM / "comptoir_loom" / MODELS).read_text()
    for old, new in (
        (
            "from decimal import Decimal\n",
            "from decimal import Decimal\nfrom typing import Any\n\nfrom sqlalchemy import func, select\n",
        ),
        ("    extends,\n", "    extends,\n    field,\n    kinds,\n"),
        ("\nclass Bolt(", SLOW_KIND),
        ('= text(_("Name"),', '= field(Slow(), _("Name"), max_length=255,'),
        ('= email(_("Weaver"))', '= field(Slow(), _("Weaver"), max_length=254, personal=True)'),
    ):
        assert old in models, old
        models = models.replace(old, new, 1)
    hook = (
        "\n\n@hookimpl\ndef forbid_action(ctx: Context, action: str) -> None:\n"
        "    from comptoir_loom import models\n\n    models.ASKING[:] = [ctx]\n"
    )
    plugin = (LOOM / "comptoir_loom" / PLUGIN).read_text().replace("List(Bolt.name,", "List(Bolt.name, Bolt.weaver,")
    return Specimen({MODELS: (None, models), PLUGIN: (None, plugin + hook)})


SPECIMENS: Mapping[str, Specimen] = {
    "names.plugin": _e("pyproject.toml", "\nloom = ", "\nLoom-Two = "),
    "names.package": _e("pyproject.toml", "comptoir_loom.plugin", "comptoir_loom.module"),
    "names.distribution": _e("pyproject.toml", "comptoir-loom", "weaving"),
    "names.tables": _in_models('__tablename__ = "loom_bolt"', '__tablename__ = "mill_loom"'),
    "names.contributions": _e(PLUGIN, 'MenuItem("loom.bolts"', 'MenuItem("bolts"'),
    "names.permissions": _e(PLUGIN, 'Permission("loom.bolt.sell"', 'Permission("loom.sell"'),
    "names.jobs": _e(PLUGIN, "loom.count_stock", "loom.counting"),
    "names.errors": _e(SERVICES, '"loom.in_future"', '"in_future"'),
    "names.templates": _after("templates/other/card.html", "<p></p>"),
    "names.addresses": _in_models('path="bolts"', 'path="Bolts_of_cloth"'),
    "names.revisions": _e(REVISION, 'revision = "loom_0001"', 'revision = "first"'),
    "layers.imports": _after(PLUGIN, '\nraise RuntimeError("the licence server is away")\n'),
    "layers.survives": _after(PLUGIN, '\nimport sys\nsys.exit("no licence")\n'),
    "layers.silent": _after(SERVICES, '\nprint("woven")\n'),
    "layers.toolkit": _after(SERVICES, "\nfrom comptoir.db.base import Base\n"),
    "layers.neighbours": _after(SERVICES, "\nfrom comptoir_catalog.models import Product\n"),
    "layers.inside": _after(MODELS, "\nfrom comptoir_loom import services\n"),
    "layers.flask": _after(SERVICES, "\nfrom flask import request\n"),
    "layers.commit": _after(SERVICES, "\n\ndef end(ctx: Context) -> None:\n    ctx.session.commit()\n"),
    "layers.calls_outside": _after(SERVICES, "\nimport urllib.request\n"),
    "layers.text_sql": _after(SERVICES, "\nfrom sqlalchemy import text\n"),
    "types.marked": Specimen(without="py.typed"),
    "types.annotated": _after(SERVICES, "\n\ndef weave(cloth):\n    return cloth\n"),
    "types.mypy": _after(SERVICES, '\n\ndef width(bolt: Bolt) -> int:\n    return "wide"\n'),
    "hooks.known": _after(PLUGIN, "\n\n@hookimpl\ndef on_loggin(ctx: Context) -> None:\n    pass\n"),
    "hooks.arguments": _after(PLUGIN, "\n\n@hookimpl\ndef on_login(ctx: Context, password: str) -> None:\n    pass\n"),
    "hooks.manifest": _e(PLUGIN, '_("Bolts of cloth."), ', ""),
    "hooks.contributes": _e(PLUGIN, "return [Bolt,", 'return ["loom.cloth", Bolt,'),
    "hooks.repeatable": _e(
        PLUGIN,
        "\n\n@hookimpl\ndef contribute() -> list[Contribution | type[Base]]:\n    return [Bolt, LoomContact,",
        "\n\nmanifests: list[Manifest] = []\n\n\n@hookimpl\ndef contribute() -> list[Contribution | type[Base]]:\n    manifests.append(manifest)\n    return [*RIGHTS[: len(manifests)], Bolt, LoomContact,",
    ),
    "hooks.accepted": _e(PLUGIN, 'views.card, "loom.bolt.read")', "views.card)"),
    "hooks.complete": _e(PLUGIN, "return [Bolt, LoomContact,", "return [Bolt,"),
    "hooks.checks_only_look": _e(
        SERVICES, "            yield RuleViolation", "            bolt.woven_on = None\n            yield RuleViolation"
    ),
    "languages.complete": _after(SERVICES, '\nNEVER = _("Nobody has translated this")\n'),
    "languages.placeholders": _e(
        "translations/ro/LC_MESSAGES/messages.po", 'msgstr[0] "{count}', 'msgstr[0] "{number}'
    ),
    "languages.marked": _in_models('text(_("Name")', 'text("Name"'),
    "languages.one_piece": _after(SERVICES, '\nJOINED = _("a" + "b")\n'),
    "documents.readme": _e("README.md", None, "# Loom\n"),
    "documents.description": _e("pyproject.toml", 'description = "Bolts of cloth, and who ordered them"\n', ""),
    "documents.labels": _in_models('_("Price")', '""'),
    "documents.modules": _e(JOBS, '"""Work of the night."""', ""),
    "documents.toolkit": _after(SERVICES, "\nfrom comptoir.toolkit import everything\n"),
    "documents.deprecated": _hole("comptoir.toolkit:Daily.__deprecated__", "take Every"),
    "privacy.declared": _in_models("weaver: Mapped[str | None] = email(", "surname: Mapped[str | None] = text("),
    "privacy.rights_of_fields": _in_models(', write="loom.bolt.see_cost"', ""),
    "privacy.hidden_in_api": _hole("comptoir.records.declared:DeclaredType.hidden_fields", _everybody),
    "privacy.hidden_on_pages": _e(
        SERVICES,
        '"note": ""}\n\n\ndef tile',
        f'"note": getattr({AS_SYSTEM}.get(type(record), record.id), "cost", "")}}\n\n\ndef tile',
    ),
    "privacy.known_rights": _e(PLUGIN, 'views.card, "loom.bolt.read"', 'views.card, "loom.bolt.look"'),
    "schema.complete": _e(REVISION, '        sa.Column("weaver", sa.String(length=254), nullable=True),\n', ""),
    "schema.reversible": _e(REVISION, '    op.drop_table("loom_contact")\n', ""),
    "schema.one_history": _after(
        "migrations/versions/loom_0002.py", '"""Another."""\nrevision = "loom_0002"\ndown_revision = None\n'
    ),
    "schema.shared_columns": _e(
        REVISION, '*toolkit.record_columns("loom_bolt"),', 'sa.Column("search_key", sa.Text(), nullable=False),'
    ),
    "schema.own_imports": _e(REVISION, "from comptoir import toolkit", "from comptoir_loom.models import Bolt"),
    "schema.ondelete": _in_models(
        'reference(_("Ordered by"), "base_contact", ondelete="SET NULL")',
        '__import__("sqlalchemy.orm").orm.mapped_column(__import__("sqlalchemy").ForeignKey("base_contact.id"))',
    ),
    "schema.indexed_references": _in_models('ondelete="SET NULL")', 'ondelete="SET NULL", index=False)'),
    "schema.indexed_order": _in_models("search=True, index=True", "search=True"),
    "schema.exact_amounts": _in_models(
        'money(_("Price"), minimum=0)',
        '__import__("sqlalchemy.orm").orm.mapped_column(__import__("sqlalchemy").Float())',
    ),
    "schema.moments": _in_models(
        'date(_("Woven"))', '__import__("sqlalchemy.orm").orm.mapped_column(__import__("sqlalchemy").DateTime())'
    ),
    "schema.clock": _after(
        JOBS, "\nimport datetime\n\n\ndef late() -> bool:\n    return datetime.datetime.now().hour > 20\n"
    ),
    "schema.owned": _in_models('"base_contact", ondelete="SET NULL"', '"catalog_product", ondelete="SET NULL"'),
    "rights.pages": Specimen(holes=ANYBODY),
    "rights.api": Specimen(holes=ANYBODY),
    "rights.nothing_shown": Specimen(
        {
            VIEWS: (
                "bolt = load(visit.context, Bolt, id)",
                'bolt = visit.context.as_system("specimen").session.get_one(Bolt, id)',
            )
        },
        ANYBODY,
    ),
    "rights.sign_in": _hole("comptoir.rest.blueprint:Desk.answer", _alike),
    "rights.forged_forms": _hole("comptoir.rest.authentication:require_csrf_token", _no),
    "rights.changes": Specimen(
        {
            PLUGIN: ('views.card, "loom.bolt.read")', 'views.card, "loom.bolt.mend", methods=("GET", "POST"))'),
            VIEWS: (
                "bolt = load(visit.context, Bolt, id)\n",
                'ctx = visit.context.as_system("specimen")\n    bolt = services.mend(ctx, ctx.session.get_one(Bolt, id), {})\n',
            ),
        },
        ANYBODY,
    ),
    "rights.actions": Specimen(holes=ANYBODY),
    "rights.moves": Specimen(holes=ANYBODY),
    "rights.elsewhere": Specimen(
        {
            SERVICES: ("list(ctx.session.scalars(select(Bolt.name)", f"list({AS_SYSTEM}.scalars(select(Bolt.name)"),
            PLUGIN: ('_("Stock"), "loom.bolt.read"', '_("Stock"), "base.contact.read"'),
        }
    ),
    "rights.public_pages": _e(
        VIEWS, '{"name": "",', '{"name": services.first_names(visit.context.as_system("specimen")),'
    ),
    "pages.answer": _e(
        VIEWS, "    bolt = load(visit.context, Bolt, id)\n", '    raise RuntimeError("the card is torn")\n'
    ),
    "pages.parts": _e(SERVICES, "    count = count_bolts(ctx)\n", '    raise RuntimeError("the box is empty")\n'),
    "pages.escaped": _e(BOX, "{{ name }}", "{{ name|safe }}"),
    "pages.named_inputs": _e(CARD, "<p>", '<input name="length"><p>'),
    "pages.headings": _e(CARD, "<h2>", "<h1>Another</h1><h2>"),
    "pages.unique_ids": _e(CARD, "<p>", '<p id="cloth"></p><p id="cloth">'),
    "pages.no_inline_code": _e(CARD, "<p>", '<p onclick="weave()">'),
    "pages.accessible": _e(CARD, "<p>", '<div role="checkbox" tabindex="0">?</div><p>'),
    "records.found": _hole("comptoir.records.write.save:index_changes", _no),
    "records.titles": _in_models("title=True, search=True", "title=True"),
    "records.paging": _hole("comptoir.records.query:run", _repeating(queries.run)),
    "records.exported": _slow(),
    "records.described": _hole("comptoir.rest.blueprint:build_document", lambda *_given: {"paths": {}}),
    "work.jobs": _e(JOBS, "    services.count_bolts(ctx)\n", '    raise RuntimeError("the mill is closed")\n'),
    "work.twice": _e(
        JOBS, "    services.count_bolts(ctx)\n", '    services.save(ctx, [services.Bolt(name="Nightly")])\n'
    ),
    "work.one_writer": _after(
        PLUGIN,
        "\n\n@hookimpl\ndef on_records_saved(changes: object) -> None:\n    for change in changes:  # type: ignore[attr-defined]\n        if isinstance(change.record, Contact):\n            change.record.sector = 'Cloth'\n",
    ),
    "work.creates": _e(SERVICES, "if bolt.woven_on is not None and bolt.woven_on > ctx.today():", "if bolt.name:"),
    "work.outbox": _e(PLUGIN, "    services.count_bolts(ctx)\n", '    raise RuntimeError("nobody listens")\n'),
    "life.enabled": _e(
        REVISION, "def upgrade() -> None:\n", 'def upgrade() -> None:\n    raise RuntimeError("no thread")\n'
    ),
    "life.course": _e(
        REVISION, "def downgrade() -> None:\n", 'def downgrade() -> None:\n    raise RuntimeError("no way back")\n'
    ),
    "life.arrival": _after(
        PLUGIN,
        '\n\n@hookimpl\ndef seed_module(ctx: Context) -> None:\n    services.save(ctx, [Contact(name="The mill")])\n',
    ),
    "life.pause": _hole("comptoir.testing.conformance.running:pause_modules", _no),
    "life.kept": _after(
        PLUGIN,
        '\n\n@hookimpl\ndef on_module_resumed(ctx: Context, name: str) -> None:\n    services.save(ctx, [Bolt(name="Welcome back")])\n',
    ),
    "life.departure": _e(
        REVISION,
        '    op.create_table(\n        "loom_contact",',
        '    op.create_table("loom_left", sa.Column("id", sa.Integer(), primary_key=True))\n    op.create_table(\n        "loom_contact",',
    ),
    "life.neighbours": _after(
        PLUGIN,
        '\n\n@hookimpl\ndef seed_module(ctx: Context) -> None:\n    services.save(ctx, [Contact(name="The mill")])\n',
    ),
    "speed.lists": _slow(),
    "speed.records": _e(
        SERVICES,
        "    count = count_bolts(ctx)\n",
        "    count = sum(count_bolts(ctx) for _bolt in range(count_bolts(ctx))) and count_bolts(ctx)\n",
    ),
    "speed.api": _slow(),
    "speed.or": _e(
        SERVICES,
        "select(func.count()).select_from(Bolt))",
        'select(func.count()).select_from(Bolt).outerjoin(Contact).where((Bolt.name != "") | (Contact.name == "")))',
    ),
}
