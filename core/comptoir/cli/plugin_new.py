"""``comptoir plugin new``: a distribution of its own that runs, is typed and tests itself."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import click

from comptoir import __version__
from comptoir.cli.terminal import say
from comptoir.errors import ComptoirError
from comptoir.i18n import _

SCAFFOLD = Path(__file__).parent / "scaffold"
SUFFIX = ".jinja"
RESERVED = frozenset(
    {"account", "admin", "api", "calendar", "comptoir", "core", "dav", "events", "f", "files", "healthz", "home",
     "intake", "login", "logout", "metrics", "p", "portal", "preferences", "readyz", "reports", "scim", "search",
     "settings", "static", "t", "testing"}
)  # fmt: skip
"""What stands first in addresses of the core, or names a part of it."""
LONGEST = {"name": 24, "record": 18}
"""Letters of a name, so that those of its tables and indexes fit into PostgreSQL's 63."""
LONGEST_LABEL = 40


@click.command()
@click.argument("name")
@click.option("--in", "parent", type=click.Path(file_okay=False, path_type=Path), default=".", metavar="DIR",
              help="The folder in which its own is made; default: this one.")  # fmt: skip
@click.option("--record", metavar="NAME", help="The record type in the singular, such as visit; default: of NAME.")
@click.option("--label", metavar="WORDS", help="What people call one; default: of the record type’s name.")
@click.option("--labels", metavar="WORDS", help="What people call several; default: of the label.")
@click.option("--author", default="", metavar="WHO", help="Shown on the modules page.")
def new(name: str, parent: Path, record: str | None, label: str | None, labels: str | None, author: str) -> None:
    """Write a plugin of your own: a record type with its pages, rules, rights, table, words and tests.

    NAME is its entry point, and with it the package comptoir_NAME, the addresses /NAME/… and the tables NAME_….
    """
    _refuse_name(name)
    record = record or _singular(name)
    _refuse_record(record)
    label = label or _words(record)
    labels = labels or _plural(label)
    for given in (label, labels, author):
        _refuse_words(given)
    target = parent / _distribution(name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ComptoirError(
            _("{folder} is there already. Remove it, or choose another folder with --in.", folder=target)
        )
    _write(target, _names(name, record, label=label, labels=labels, author=author))
    say(_("Wrote {folder}. Next, one after the other:", folder=target))
    say(f"  pip install --editable {target}\n  comptoir modules enable {name} --yes\n  comptoir serve --dev")


def _names(name: str, record: str, **words: str) -> dict[str, str]:
    """Every name that the scaffold mentions."""
    plural = _plural(record)
    return {
        "name": name,
        "package": f"comptoir_{name}",
        "distribution": _distribution(name),
        "title": _words(name),
        "record": record,
        "plural": plural,
        "path": plural.replace("_", "-"),
        "class_name": _class_name(record),
        "table": f"{name}_{record}",
        "core": ".".join(__version__.split(".")[:2]),
        **words,
    }


def _write(target: Path, names: Mapping[str, str]) -> None:
    """Render the scaffold into a folder; nothing of it stays when that fails."""
    from comptoir.catalogues import compile_catalogues, extract

    existed = target.exists()
    try:
        for file, text in _rendered(names):
            path = target / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        package = target / names["package"]
        extract(package, project=names["distribution"])
        compile_catalogues(package)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        if existed:
            target.mkdir()
        raise


def _rendered(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The files of a plugin with these names, and what stands in them."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from comptoir.db.migrations import SHARED

    environment = Environment(  # noqa: S701 - it writes code, not pages
        loader=FileSystemLoader(SCAFFOLD),
        variable_start_string="«", variable_end_string="»",
        block_start_string="«%", block_end_string="%»",
        comment_start_string="«#", comment_end_string="#»",
        trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined,
    )  # fmt: skip
    for path in sorted(SCAFFOLD.rglob(f"*{SUFFIX}")):
        source = path.relative_to(SCAFFOLD).as_posix()
        file = source.removesuffix(SUFFIX).replace("NAME", names["name"])
        if file.startswith("package/"):
            file = f"{names['package']}/{file.removeprefix('package/')}"
        text = environment.get_template(source).render(names, shared=len(SHARED))
        yield ".gitignore" if file == "gitignore" else file, text


def _refuse_name(name: str) -> None:
    from comptoir.registry.discover import discover_plugins

    _refuse_spelling(name, LONGEST["name"])
    if name in RESERVED or name in dir(builtins):
        raise ComptoirError(_("{name} is a word of Comptoir or of Python. Choose another name.", name=name))
    if name in discover_plugins():
        raise ComptoirError(_("A module {name} is installed already. Choose another name.", name=name))
    if find_spec(f"comptoir_{name}") is not None:
        raise ComptoirError(_("There is a package comptoir_{name} already. Choose another name.", name=name))


def _refuse_record(record: str) -> None:
    _refuse_spelling(record, LONGEST["record"])
    if {record, _class_name(record)} & {*dir(builtins), *_used()}:
        raise ComptoirError(_("The code uses {name} already. Name the record type with --record.", name=record))


def _used() -> Iterator[str]:
    """The names that the code of the scaffold uses, whatever the plugin is called."""
    for file, text in _rendered(_names("x", "x", label="", labels="", author="")):
        for node in ast.walk(ast.parse(text)) if file.endswith(".py") else ():
            if isinstance(node, ast.Name | ast.arg | ast.alias):
                yield getattr(node, "id", "") or getattr(node, "arg", "") or getattr(node, "name", "")


def _refuse_spelling(name: str, longest: int) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise ComptoirError(
            _("{name} cannot be a name. Use small letters of English, digits and single underscores: visits, site_visits.",
              name=repr(name))
        )  # fmt: skip
    if len(name) > longest:
        raise ComptoirError(
            _(
                "{name} is too long: at most {count} letters, so that the names of its tables fit.",
                name=name,
                count=longest,
            )
        )


def _refuse_words(given: str) -> None:
    if len(given) > LONGEST_LABEL or not given.isprintable() or set(given) & set('"\\{}<>«»'):
        raise ComptoirError(
            _("{words} cannot be a label: use at most {count} letters, without quotes, brackets and backslashes.",
              words=repr(given), count=LONGEST_LABEL)
        )  # fmt: skip


def _words(name: str) -> str:
    """``site_visits`` as people read it: Site visits."""
    return name.replace("_", " ").capitalize()


def _distribution(name: str) -> str:
    return f"comptoir-{name.replace('_', '-')}"


def _class_name(record: str) -> str:
    return "".join(part.capitalize() for part in record.split("_"))


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _plural(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|ch|sh)$", word) else f"{word}s"
