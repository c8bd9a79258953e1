"""Read a table from a file of any common kind: the kind by its content, the encoding and the separator by trying."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import orjson
from charset_normalizer import from_bytes

from comptoir.i18n import Text, _
from comptoir.records.transfer.formulas import neutralised
from comptoir.records.transfer.workbook import COLUMNS, SheetRows, refusal, too_many_columns

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
    "koi8-r": "абвгдежзийклмнопрстуфхцчшщъьюяыэё",
    "cp1254": "ğıöşüçâîû",
    "cp1252": "éèêëáàâäãåíìîïóòôöõúùûüçñßœæøý",
}
"""8-bit encodings that are tried where a file is no Unicode, with the letters that speak for each."""

LIKELY = 0.4
"""An encoding in which the letters fit less than this is none to act upon."""

END = "\x00 end of the file"
"""Read behind the last line: a quotation mark that is still open there swallows it."""

MIXED = re.compile("[a-z][а-яё]|[а-яё][a-z]", re.IGNORECASE)
"""Words of two alphabets, which speak against an encoding."""

FOREIGN = (
    (b"\x1f\x8b", _("is compressed (gzip). Unpack it and import the file inside.")),
    (b"bzh", _("is compressed (bzip2). Unpack it and import the file inside.")),
    (b"\xfd7zxz", _("is compressed (xz). Unpack it and import the file inside.")),
    (b"7z\xbc\xaf", _("is an archive (7z). Unpack it and import the file inside.")),
    (b"rar!", _("is an archive (RAR). Unpack it and import the file inside.")),
    (b"%pdf", _("is a PDF, which is made for reading. Export the table as XLSX or CSV where it comes from.")),
    (b"\x89png", _("is a picture. Export the table as XLSX or CSV where it comes from.")),
    (b"\xff\xd8\xff", _("is a picture. Export the table as XLSX or CSV where it comes from.")),
    (b"{\\rtf", _("is a text document. Copy its table into a spreadsheet and save that.")),
    (b"<!doctype html", _("is a web page. Open it in a spreadsheet program and save it as XLSX or CSV.")),
    (b"<html", _("is a web page. Open it in a spreadsheet program and save it as XLSX or CSV.")),
    (b"<table", _("is a web page. Open it in a spreadsheet program and save it as XLSX or CSV.")),
    (b"<?xml", _("is XML. Export the table as XLSX or CSV where it comes from.")),
)
"""How files begin that people send instead of a table, in small letters, and what to do with each."""


@dataclass(frozen=True, slots=True)
class Table:
    """The headings of a file and a way to walk its rows again and again; each row comes with its line number."""

    columns: tuple[str, ...]
    rows: Callable[[], Iterator[tuple[int, dict[str, Any]]]]
    encoding: str = ""
    separator: str = ""
    remark: Text | None = None
    """What to look at before trusting the table, such as an encoding that was guessed."""


def read_table(path: Path, *, encoding: str | None = None) -> Table:
    """The table in a CSV, XLSX, XLS, ODS or JSON file; refuses what is none of them with the reason."""
    try:
        with path.open("rb") as file:
            head = file.read(SAMPLE)
    except FileNotFoundError:
        raise refusal(_("There is no file {path}.", path=path)) from None
    except OSError as error:
        raise refusal(_("{path} cannot be read: {reason}.", path=path, reason=error.strerror)) from None
    if not head.strip():
        raise refusal(_("{path} is empty.", path=path.name))
    for start, told in FOREIGN:
        if head.lower().startswith(start):
            raise refusal(_("{path} {told}", path=path.name, told=told))
    if head.startswith(b"PK\x03\x04"):
        _refuse_archive(path)
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _workbook(path)
    if path.suffix.lower() == ".json" or head.lstrip()[:1] in (b"[", b"{"):
        return _json(path)
    return _delimited(path, head, encoding)


def _delimited(path: Path, head: bytes, encoding: str | None) -> Table:
    chosen, remark = (encoding, None) if encoding else _encoding(path, head)
    try:
        sample = head.decode(chosen, errors="ignore")
    except LookupError:
        raise refusal(_("There is no encoding {name}.", name=chosen)) from None
    if "\x00" in sample:
        raise refusal(_("{path} is no text file: it holds NUL bytes.", path=path.name))
    separator = _separator(sample)
    csv.field_size_limit(CELL_LENGTH)

    def lines() -> Iterator[list[str]]:
        try:
            with path.open(encoding=chosen, newline="") as file:
                yield from _csv_rows(file, separator, path)
        except UnicodeDecodeError as error:
            raise refusal(
                _(
                    "{path} is not {encoding} throughout (byte {position}). Give its encoding with --encoding.",
                    path=path.name,
                    encoding=chosen,
                    position=error.start,
                )
            ) from None
        except UnicodeError:
            raise refusal(
                _("{path} is not {encoding}. Give its encoding with --encoding.", path=path.name, encoding=chosen)
            ) from None

    first = next(lines(), None)
    columns = _headings([str(cell) for cell in first or []], path)

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        numbered = enumerate(lines(), 1)
        next(numbered, None)
        for number, cells in numbered:
            if any(cell.strip() for cell in cells):
                yield number, _row(columns, cells)

    return Table(columns, rows, chosen, separator, remark)


def _csv_rows(file: Iterable[str], separator: str, path: Path) -> Iterator[list[str]]:
    """The rows of a text file; one that is longer than a line must have its quotes in order, or it has swallowed others."""
    taken: list[str] = []
    begin = 1

    def taking() -> Iterator[str]:
        for line in chain(file, [END]):
            taken.append(line)
            yield line

    reader = csv.reader(taking(), delimiter=separator)
    try:
        for cells in reader:
            if taken == [END]:
                return
            if len(taken) > 1:
                for _cells in csv.reader(taken, delimiter=separator, strict=True):
                    pass
            yield cells
            begin = reader.line_num + 1
            taken.clear()
    except csv.Error as error:
        if "field larger" in str(error):
            raise refusal(
                _(
                    "{path} cannot be read: a cell in line {line} has more than {count} characters. "
                    "Perhaps a quotation mark that opens there is not closed.",
                    path=path.name,
                    line=begin,
                    count=CELL_LENGTH,
                )
            ) from None
        raise refusal(
            _(
                "In line {line} of {path} a quotation mark opens a cell that does not end there. "
                "Close it, or write it twice where it belongs to the text.",
                line=begin,
                path=path.name,
            )
        ) from None


def _row(columns: tuple[str, ...], cells: list[Any]) -> dict[str, Any]:
    """The cells under their headings; those that have none as a list under the empty one."""
    if len(cells) > len(columns) and any(str(cell).strip() for cell in cells[len(columns) :]):
        return {**dict(zip(columns, cells, strict=False)), "": cells[len(columns) :]}
    return dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=False))


def _headings(cells: list[str], path: Path) -> tuple[str, ...]:
    columns = [cell.strip().lstrip("\ufeff") for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    if not columns:
        raise refusal(_("{path} has no headings in its first row.", path=path.name))
    if len(columns) > COLUMNS:
        raise too_many_columns(path)
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise refusal(_("{path} has two columns called {name}. Rename one.", path=path.name, name=min(twice)))
    return tuple(name or f"#{position}" for position, name in enumerate(columns, 1))


def _encoding(path: Path, head: bytes) -> tuple[str, Text | None]:
    """The encoding of a text file, and where it had to be guessed a word about it; refuses what holds two or tells nothing."""
    for mark, name in BOMS:
        if head.startswith(mark):
            return name, None
    strange, sample = _strange_lines(path)
    if not strange:
        return "utf-8", None
    scores = {name: _likelihood(sample, name) for name in LETTERS}
    guess = from_bytes(sample, cp_isolation=list(LETTERS)).best()
    if guess is not None and guess.encoding in scores:
        scores[guess.encoding] += 0.25
    best = max(scores, key=lambda name: scores[name])
    words = _unusual_words(sample, best)
    if scores[best] < LIKELY:
        raise refusal(
            _(
                "The encoding of {path} cannot be told; as {encoding} it would say {words}. Give it with --encoding.",
                path=path.name,
                encoding=best,
                words=words,
            )
        )
    return best, _(
        "The file is no Unicode. It was read as {encoding}, which makes {words}. Where that is wrong, give --encoding.",
        encoding=best,
        words=words,
    )


def _strange_lines(path: Path) -> tuple[int, bytes]:
    """How many lines are no UTF-8, and the first of them; refuses a file in which others are, beyond ASCII."""
    count, first, unicode_line, sample = 0, 0, 0, bytearray()
    with path.open("rb") as file:
        for number, line in enumerate(iter(partial(file.readline, CELL_LENGTH), b""), 1):
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                unicode_line = unicode_line or number
            except UnicodeDecodeError:
                count += 1
                first = first or number
                if len(sample) < SAMPLE:
                    sample += line
    if count and unicode_line:
        raise refusal(
            _(
                "{path} holds two encodings: line {unicode} is UTF-8, line {other} is not. "
                "Save it in one, or give --encoding.",
                path=path.name,
                unicode=unicode_line,
                other=first,
            )
        )
    return count, bytes(sample)


def _likelihood(sample: bytes, encoding: str) -> float:
    """How well the letters beyond ASCII fit the languages of an encoding: 1 where all do."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return -10.0
    unusual = [character for character in text.lower() if ord(character) > 127]
    known = sum(character in LETTERS[encoding] for character in unusual)
    odd = sum(not character.isalpha() for character in unusual) + len(MIXED.findall(text.lower()))
    odd += sum(before.islower() and after.isupper() for before, after in pairwise(text) if ord(after) > 127)
    return (known - 2 * odd) / (len(unusual) or 1)


def _unusual_words(sample: bytes, encoding: str) -> str:
    """Some words of the file in an encoding, for a person to judge."""
    words = dict.fromkeys(
        word for word in re.findall(r"[^\W\d_]+", sample.decode(encoding, errors="replace")) if not word.isascii()
    )
    return ", ".join(f"“{word[:30]}”" for word in list(words)[:3]) or "“…”"


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


def _refuse_archive(path: Path) -> None:
    """Say of a ZIP archive that holds no workbook what it is; a damaged one is for the reader of workbooks to refuse."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return
    if any(name.startswith("word/") for name in names):
        raise refusal(_("{path} is a text document. Copy its table into a spreadsheet and save that.", path=path.name))
    if not any(name.startswith("xl/") for name in names) and "content.xml" not in names:
        raise refusal(_("{path} is an archive (ZIP). Unpack it and import the file inside.", path=path.name))


def _workbook(path: Path) -> Table:
    sheet = SheetRows(path)
    heading = next(iter(sheet), None)
    if heading is None:
        raise refusal(_("The first sheet of {path} is empty.", path=path.name))
    columns = _headings([str(cell) for cell in heading[1]], path)

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        numbered = iter(sheet)
        next(numbered)
        for number, cells in numbered:
            yield number, _row(columns, cells)

    return Table(columns, rows)


def _json(path: Path) -> Table:
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise refusal(
            _("{path} is no valid JSON: {reason}, line {line}.", path=path.name, reason=error.msg, line=error.lineno)
        ) from None
    if isinstance(content, dict):
        content = content.get("data")
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise refusal(_("{path} must hold a list of objects, or one under “data”.", path=path.name))
    columns: dict[str, None] = {}
    for item in content:
        columns.update(dict.fromkeys(_flat(item)))
        if len(columns) > COLUMNS:
            raise too_many_columns(path)
    if not columns:
        raise refusal(_("{path} is empty.", path=path.name))

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
