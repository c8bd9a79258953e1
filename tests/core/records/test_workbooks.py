"""Files that mean harm or are no tables at all: refused in words, quickly, without the memory they ask for."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from comptoir.errors import RuleViolation
from comptoir.records.transfer import read_table, workbook

SHEET = (
    '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<sheetData>{rows}</sheetData></worksheet>"
)
TEXT_CELL = '<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def book(path: Path, *places: str) -> Path:
    """A workbook that xlsxwriter made, with the cells of its sheet moved to these places."""
    buffer = io.BytesIO()
    made = xlsxwriter.Workbook(buffer)
    made.add_worksheet().write(0, 0, "name")
    made.close()
    rows = "".join(
        f'<row r="{place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}">{TEXT_CELL.format(place=place, text="name")}</row>'
        for place in places
    )
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            content = old.read(part)
            new.writestr(part, SHEET.format(rows=rows) if part.filename == "xl/worksheets/sheet1.xml" else content)
    return path


def giant_cell(path: Path, megabytes: int) -> Path:
    """A workbook in which one cell unpacks to hundreds of megabytes."""
    book(path, "A1")
    begin, end = SHEET.format(rows='<row r="1">' + TEXT_CELL.format(place="A1", text="|") + "</row>").split("|")
    with zipfile.ZipFile(path) as old:
        parts = {part.filename: old.read(part) for part in old.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name, content in parts.items():
            if name != "xl/worksheets/sheet1.xml":
                new.writestr(name, content)
        with new.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(begin.encode())
            for _megabyte in range(megabytes):
                sheet.write(b"a" * (1 << 20))
            sheet.write(end.encode())
    return path


def wide_text(path: Path) -> Path:
    path.write_text(",".join(f"column {number}" for number in range(100_000)) + "\n")
    return path


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a cell far right": (lambda path: book(path, "A1", "XFD4000"), "1000 columns"),
    "a cell in the last corner": (lambda path: book(path, "A1", "XFD1048576"), "1000 columns"),
    "a cell of 900 megabytes": (lambda path: giant_cell(path, 900), "too large"),
    "a hundred thousand columns": (wide_text, "1000 columns"),
    "a cell far down and right": (lambda path: book(path, "A1", "ALK1048576"), "too large"),
    "a cell of 100 megabytes": (lambda path: giant_cell(path, 100), "too large"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_without_the_memory_that_it_asks_for(tmp_path: Path, kind: str) -> None:
    make, says = HOSTILE[kind]
    path = make(tmp_path / ("table.csv" if "hundred thousand" in kind else "table.xlsx"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RuleViolation) as refused:
        read_table(path)
    assert says in str(refused.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@pytest.mark.parametrize(("megabytes", "seconds"), [(10, 5), (1024, 0)])
def test_a_reader_that_takes_too_much_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int, seconds: int
) -> None:
    """A process out of memory may also hang; the clock ends it then."""
    path = book(tmp_path / "table.xlsx", *(f"A{number}" for number in range(1, 200)))
    monkeypatch.setattr(workbook, "MEMORY", megabytes)
    monkeypatch.setattr(workbook, "SECONDS", seconds)
    with pytest.raises(RuleViolation) as refused:
        read_table(path)
    assert "too large" in str(refused.value)


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "UNPACKED", 1000)
    with pytest.raises(RuleViolation) as refused:
        read_table(book(tmp_path / "table.xlsx", "A1"))
    assert "unpacked it has" in str(refused.value)


def test_formats_without_content_right_of_the_table_do_no_harm(tmp_path: Path) -> None:
    path = book(tmp_path / "table.xlsx", "A1", "A2")
    with zipfile.ZipFile(path) as old:
        parts = {part.filename: old.read(part) for part in old.infolist()}
    sheet = parts["xl/worksheets/sheet1.xml"].replace(
        b"</sheetData>", b'<row r="3"><c r="XFD3" s="0"/></row></sheetData>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in (parts | {"xl/worksheets/sheet1.xml": sheet}).items():
            new.writestr(name, content)
    assert [cells for _line, cells in read_table(path).rows()] == [{"name": "name"}]


def test_rows_keep_their_numbers_and_cells_their_types_and_can_be_walked_again(tmp_path: Path) -> None:
    path = tmp_path / "table.xlsx"
    made = xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"})
    sheet = made.add_worksheet()
    sheet.write_row(2, 1, ["name", "count", "since", "active"])
    sheet.write_row(4, 1, ["Țuică", 1.5, dt.datetime(2026, 11, 22), True])
    made.close()
    table = read_table(path)
    assert table.columns == ("name", "count", "since", "active")
    for _walk in range(2):
        [(line, cells)] = table.rows()
        assert (line, cells["name"], cells["count"], cells["active"]) == (5, "Țuică", 1.5, True)
        assert cells["since"] in (dt.date(2026, 11, 22), dt.datetime(2026, 11, 22))


def document(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    return path.read_bytes()


def archive(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("contacts.csv", "name\nA\n")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda _path: gzip.compress(b"name\nA\n"), "compressed (gzip). Unpack it"),
        (lambda _path: b"%PDF-1.7\n1 0 obj", "is a PDF"),
        (archive, "archive (ZIP). Unpack it"),
        (document, "text document"),
        (lambda _path: b"<html><table><tr><td>name</td></tr></table></html>", "web page"),
        (lambda _path: b"\x89PNG\r\n\x1a\n", "picture"),
        (lambda _path: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "workbook"),
        (lambda path: book(path, "A1").read_bytes()[:400], "damaged"),
    ],
)
def test_what_is_no_table_is_named_for_what_it_is(tmp_path: Path, content: Callable[[Path], bytes], says: str) -> None:
    path = tmp_path / "contacts.xlsx"
    path.write_bytes(content(path))
    with pytest.raises(RuleViolation) as refused:
        read_table(path)
    assert says in str(refused.value)
    assert "contacts.xlsx" in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ['name,city\nA,Cluj\n"B,Iași\nC,Brașov\n', 'name,city\n"A\nB,"Cluj"\n', 'name,city\nA,Cluj\nB,"Iași'],
)
def test_a_quotation_mark_that_stays_open_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if line.count('"') % 2)
    with pytest.raises(RuleViolation) as refused:
        list(read_table(path).rows())
    assert f"In line {line} of table.csv" in str(refused.value)


def test_quotation_marks_in_the_midst_of_a_cell_and_lines_within_one_are_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('name,city\nThe "best" shop,Cluj\n"Two\nlines, ""quoted""",Iași\n"Last",')
    assert [row["name"] for _line, row in read_table(path).rows()] == [
        'The "best" shop',
        'Two\nlines, "quoted"',
        "Last",
    ]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("koi8-r", "Магазин Витоша"), ("cp1251", "Кафе Орех"), ("cp1250", "Łódź"), ("cp1252", "Ångström")],
)
def test_an_encoding_that_was_guessed_is_told_with_words_of_the_file(tmp_path: Path, encoding: str, name: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(("name\n" + "A\n" * 40_000 + f"{name}\n").encode(encoding))
    table = read_table(path)
    assert name.split(maxsplit=1)[0] in str(table.remark)
    assert encoding in str(table.remark)
    assert read_table(path, encoding=encoding).remark is None


def test_an_encoding_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("name\nŁódź Śląska Żółć\n".encode("cp852"))
    with pytest.raises(RuleViolation) as refused:
        read_table(path)
    assert "Give it with --encoding" in str(refused.value)


def test_a_file_in_two_encodings_is_refused_with_a_line_of_each(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("name\nȚuică\n".encode() + "Müller\n".encode("cp1252"))
    with pytest.raises(RuleViolation) as refused:
        read_table(path)
    assert "line 2 is UTF-8, line 3 is not" in str(refused.value)
