"""Themes, and where templates and static files are found: theme first, then plugin, then core."""

from __future__ import annotations

import hashlib
import posixpath
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import BaseLoader, BytecodeCache, ChoiceLoader, FileSystemLoader, PrefixLoader
from jinja2.bccache import Bucket

from comptoir.errors import ConfigurationError
from comptoir.i18n import _
from comptoir.registry.plugin import Plugin

WEB = Path(__file__).parent
SHEETS = ("fonts", "tokens", "base", "components", "shell", "views", "charts", "widths", "narrow", "pages")
"""The core's style sheets in the order of their cascade."""
BUNDLE = "comptoir.css"
_ADDRESS = re.compile(r"""url\(\s*(["']?)(?!["']?(?:data:|https?:|/|#))([^"')]+)\1\s*\)""")
_IMPORT = re.compile(r"@import\b[^;]*;")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Theme:
    """A folder with ``theme.toml``, ``templates/`` and ``static/``, and no Python."""

    name: str
    title: str
    folder: Path
    css: tuple[str, ...]


def themes_folder() -> Path:
    """Where the themes lie: inside the installed package, or beside the core in a checkout."""
    shipped = WEB.parent / "themes"
    return shipped if shipped.is_dir() else WEB.parents[2] / "themes"


def load_theme(name: str) -> Theme:
    """The theme that a deployment names; `ConfigurationError` lists those there are."""
    folder = themes_folder() / name
    declaration = folder / "theme.toml"
    if not name.isidentifier() or not declaration.is_file():
        known = ", ".join(sorted(path.parent.name for path in themes_folder().glob("*/theme.toml")))
        raise ConfigurationError(_("deployment.theme is {name}; choose one of {known}.", name=repr(name), known=known))
    try:
        content = tomllib.loads(declaration.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(_("{path} is not valid TOML: {error}.", path=declaration, error=error)) from None
    return Theme(name, str(content.get("title", name)), folder, tuple(content.get("css", ())))


def template_loader(theme: Theme, plugins: Iterable[Plugin]) -> BaseLoader:
    """Look-up by path: theme, plugins, core; ``core/<path>`` names the core's own, for templates that extend it."""
    core = FileSystemLoader(WEB / "templates")
    folders = [plugin.folder / "templates" for plugin in plugins]
    return ChoiceLoader(
        [
            FileSystemLoader(theme.folder / "templates"),
            *(FileSystemLoader(folder) for folder in folders if folder.is_dir()),
            core,
            PrefixLoader({"core": core}),
        ]
    )


class CompiledTemplates(BytecodeCache):
    """What every generation of a process shares, so that a swap compiles no template that the last one had."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the compiled form of this very source, when there is one."""
        held = self._held.get((bucket.key, bucket.checksum))
        if held is not None:
            bucket.bytecode_from_string(held)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the compiled form for the next generation."""
        self._held[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()


class StaticFiles:
    """The static files of one generation under one version, so that browsers may keep them for ever."""

    def __init__(self, theme: Theme, plugins: Sequence[Plugin]) -> None:
        self._roots = {f"themes/{theme.name}/": theme.folder / "static"}
        self._roots |= {f"plugins/{p.name}/": p.folder / "static" for p in plugins if (p.folder / "static").is_dir()}
        self._roots[""] = WEB / "static"
        self._sheets = (
            *(f"css/{sheet}.css" for sheet in SHEETS),
            *(f"plugins/{p.name}/{p.name}.css" for p in plugins if (p.folder / "static" / f"{p.name}.css").is_file()),
            *(f"themes/{theme.name}/{sheet}" for sheet in theme.css),
        )
        self.version = self._digest()
        self.sheet = self.url(BUNDLE)

    @cached_property
    def bundle(self) -> bytes:
        """All style sheets as one, in the order of their cascade: core, plugins, theme."""
        imports: list[str] = []
        bodies: list[str] = []
        for path in self._sheets:
            root, rest = self.locate(path)
            imported, body = _standing_alone((root / rest).read_text(encoding="utf-8"), posixpath.dirname(path))
            imports += imported
            bodies.append(body)
        return "\n".join([*imports, *bodies]).encode()

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for prefix, root in self._roots.items():
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    stat = path.stat()
                    digest.update(f"{prefix}{path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:12]

    def url(self, path: str) -> str:
        """The address of a static file: ``css/base.css``, ``plugins/<name>/…``, ``themes/<name>/…``."""
        return f"/static/{self.version}/{path}"

    def locate(self, path: str) -> tuple[Path, str]:
        """The folder that holds a path, and the rest of it."""
        prefix, root = next((p, r) for p, r in self._roots.items() if path.startswith(p))
        return root, path.removeprefix(prefix)


def _standing_alone(css: str, folder: str) -> tuple[list[str], str]:
    """A sheet's imports, and the rest of it as it reads at the root: addresses rebased, what it left open closed.

    A browser closes a comment or a block at the end of its file; in a bundle it would swallow the sheets that follow.
    """
    plain = _COMMENT.sub("", css)
    rebased = _ADDRESS.sub(lambda m: f'url("{posixpath.normpath(posixpath.join(folder, m[2]))}")', plain)
    body = _IMPORT.sub("", rebased).strip()
    return _IMPORT.findall(rebased), body + "}" * (body.count("{") - body.count("}"))
