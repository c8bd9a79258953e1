"""Read a table from a file of any common kind: the kind by its content, the encoding and the separator by trying."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from charset_normalizer import from_bytes
from python_calamine import CalamineError, CalamineWorkbook

from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.records.transfer.formulas import neutralised

SAMPLE = 64 * 1024
SEPARATORS = ",;\t|"
CELL_LENGTH = 1_000_000
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LETTERS = {
    "cp1250": "ăâîșțşţąćęłńóśźżáčďéěíňřšťúůýžäöüßőű",
    "iso-8859-2": "ăâîşţąćęłńóśźżáčďéěíňřšťúůýžäöüß",
    "cp1251": "абвгдежзийклмнопрстуфхцчшщъьюяыэё",
    "cp1254": "əğıöşüçâîûİ",
    "cp1252": "éèêëáàâäíìîïóòôöúùûüçñßœæø",
}
"""8-bit encodings that are tried where a file is no Unicode, with the letters that speak for each."""

MIXED = re.compile("[a-z][а-яё]|[а-яё][a-z]", re.IGNORECASE)
"""Words of two alphabets, which speak against an encoding."""


@dataclass(frozen=True, slots=True)
class Table:
    """The headings of a file and a way to walk its rows again and again; each row comes with its line number."""

    columns: tuple[str, ...]
    rows: Callable[[], Iterator[tuple[int, dict[str, Any]]]]
    encoding: str = ""
    separator: str = ""


def read_table(path: Path, *, encoding: str | None = None) -> Table:
    """The table in a CSV, XLSX, XLS, ODS or JSON file; refuses what is none of them with the reason."""
    try:
        with path.open("rb") as file:
            head = file.read(SAMPLE)
    except FileNotFoundError:
        raise _unreadable(_("There is no file {path}.", path=path)) from None
    except OSError as error:
        raise _unreadable(_("{path} cannot be read: {reason}.", path=path, reason=error.strerror)) from None
    if not head.strip():
        raise _unreadable(_("{path} is empty.", path=path.name))
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _workbook(path)
    if path.suffix.lower() == ".json" or head.lstrip()[:1] in (b"[", b"{"):
        return _json(path)
    return _delimited(path, head, encoding)


def _unreadable(message: Any) -> RuleViolation:
    return RuleViolation("core.unreadable_file", message, field="file")


def _delimited(path: Path, head: bytes, encoding: str | None) -> Table:
    chosen = encoding or _encoding(path, head)
    try:
        sample = head.decode(chosen, errors="ignore")
    except LookupError:
        raise _unreadable(_("There is no encoding {name}.", name=chosen)) from None
    if "\x00" in sample:
        raise _unreadable(_("{path} is no text file: it holds NUL bytes.", path=path.name))
    separator = _separator(sample)
    csv.field_size_limit(CELL_LENGTH)

    def lines() -> Iterator[list[str]]:
        try:
            with path.open(encoding=chosen, newline="") as file:
                yield from csv.reader(file, delimiter=separator)
        except UnicodeDecodeError as error:
            raise _unreadable(
                _(
                    "{path} is not {encoding} throughout (byte {position}). Give its encoding with --encoding.",
                    path=path.name,
                    encoding=chosen,
                    position=error.start,
                )
            ) from None
        except UnicodeError:
            raise _unreadable(
                _("{path} is not {encoding}. Give its encoding with --encoding.", path=path.name, encoding=chosen)
            ) from None
        except csv.Error as error:
            raise _unreadable(_("{path} cannot be read as a table: {reason}.", path=path.name, reason=error)) from None

    first = next(lines(), None)
    columns = _headings([str(cell) for cell in first or []], path)

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        numbered = enumerate(lines(), 1)
        next(numbered, None)
        for number, cells in numbered:
            if any(cell.strip() for cell in cells):
                yield number, _row(columns, cells, number)

    return Table(columns, rows, chosen, separator)


def _row(columns: tuple[str, ...], cells: list[Any], number: int) -> dict[str, Any]:
    if len(cells) > len(columns) and any(str(cell).strip() for cell in cells[len(columns) :]):
        return {
            **dict(zip(columns, cells, strict=False)),
            "": _("It has {count} cells, but there are {known} columns.", count=len(cells), known=len(columns)),
        }
    return dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=False))


def _headings(cells: list[str], path: Path) -> tuple[str, ...]:
    columns = [cell.strip().lstrip("\ufeff") for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    if not columns:
        raise _unreadable(_("{path} has no headings in its first row.", path=path.name))
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise _unreadable(_("{path} has two columns called {name}. Rename one.", path=path.name, name=min(twice)))
    return tuple(name or f"#{position}" for position, name in enumerate(columns, 1))


def _encoding(path: Path, head: bytes) -> str:
    for mark, name in BOMS:
        if head.startswith(mark):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        return "utf-8"
    except UnicodeDecodeError:
        pass
    scores: dict[str, float] = {}
    guess = from_bytes(head, cp_isolation=list(LETTERS)).best()
    for name, letters in LETTERS.items():
        try:
            text = head.decode(name).lower()
        except UnicodeDecodeError:
            continue
        unusual = [character for character in text if ord(character) > 127]
        known = sum(character in letters for character in unusual)
        odd = sum(not character.isalpha() for character in unusual) + len(MIXED.findall(text))
        scores[name] = (known - 2 * odd) / (len(unusual) or 1) + (0.25 if guess and guess.encoding == name else 0)
    return max(scores, key=lambda name: scores[name]) if scores else "cp1252"


def _separator(sample: str) -> str:
    """The separator that cuts the first lines into the most columns of equal number."""
    lines = sample.splitlines()[:60]
    if len(sample) >= SAMPLE // 4 and len(lines) > 2:
        lines = lines[:-1]
    best, best_score = ",", 0.0
    for separator in SEPARATORS:
        try:
            counts = [len(row) for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator) if row]
        except csv.Error:
            continue
        if not counts or counts[0] < 2:
            continue
        score = counts[0] * sum(count == counts[0] for count in counts) / len(counts)
        if score > best_score:
            best, best_score = separator, score
    return best


def _workbook(path: Path) -> Table:
    try:
        sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
        cells = sheet.to_python(skip_empty_area=True)
    except (CalamineError, zipfile.BadZipFile, OSError, IndexError) as error:
        raise _unreadable(
            _("{path} is no workbook that can be read: {reason}.", path=path.name, reason=error)
        ) from None
    filled = [index for index, row in enumerate(cells) if any(str(cell).strip() for cell in row)]
    if not filled:
        raise _unreadable(_("The first sheet of {path} is empty.", path=path.name))
    columns = _headings([str(cell) for cell in cells[filled[0]]], path)

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for index in filled[1:]:
            yield index + 1, _row(columns, list(cells[index]), index + 1)

    return Table(columns, rows)


def _json(path: Path) -> Table:
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise _unreadable(
            _("{path} is no valid JSON: {reason}, line {line}.", path=path.name, reason=error.msg, line=error.lineno)
        ) from None
    if isinstance(content, dict):
        content = content.get("data")
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise _unreadable(_("{path} must hold a list of objects, or one under “data”.", path=path.name))
    columns: dict[str, None] = {}
    for item in content:
        columns.update(dict.fromkeys(_flat(item)))
    if not columns:
        raise _unreadable(_("{path} is empty.", path=path.name))

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, item in enumerate(content, 1):
            yield number, _flat(item)

    return Table(tuple(columns), rows, "utf-8")


def _flat(item: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects and lists as dotted columns: ``phones.0.number``, ``sales.credit_limit``."""
    found: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{key}."))
        elif isinstance(value, list):
            for position, inner in enumerate(value):
                if isinstance(inner, dict):
                    found.update(_flat(inner, f"{prefix}{key}.{position}."))
                else:
                    found[f"{prefix}{key}.{position}"] = _as_cell(inner)
        else:
            found[f"{prefix}{key}"] = _as_cell(value)
    return found


def _as_cell(value: Any) -> Any:
    """A value as a spreadsheet of ours would hold it: `parse_cell` takes one quote away whatever the file was."""
    return neutralised(value) if isinstance(value, str) else value
