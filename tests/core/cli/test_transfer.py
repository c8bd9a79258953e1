"""``comptoir import`` at the terminal: the file of failed rows, what is said of a guess, and files that are no tables."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from .conftest import CommandLine

HEAD = "name,employees,city,email\n"


def names(comptoir: CommandLine, city: str) -> list[str]:
    rows = csv.DictReader(
        comptoir.done("export", "base.contact", "--filter", f"city={city}").out.lstrip("\ufeff").splitlines()
    )
    return sorted(row["name"] for row in rows)


def test_the_file_of_failed_rows_is_corrected_and_imported(comptoir: CommandLine, tmp_path: Path) -> None:
    source, failed = tmp_path / "source.csv", tmp_path / "failed.csv"
    source.write_text(HEAD + "Good,3,Aiud,\nBad,many,Aiud,nobody\n,4,Aiud,\nLong,5,Aiud,a@b.example,more,cells\n")
    ran = comptoir.done("import", "base.contact", str(source), "--keep-going", "--errors", str(failed))
    assert "4 rows: 1 created, 0 updated, 0 unchanged, 3 failed." in ran.out
    with failed.open(encoding="utf-8-sig", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["comptoir line"])
    assert [row["comptoir line"] for row in rows] == ["3", "4", "5"]
    assert rows[0]["comptoir column"] == "employees, email"
    assert "many" in rows[0]["comptoir message"]

    again = comptoir("import", "base.contact", str(failed), "--keep-going")
    assert "3 rows: 0 created, 0 updated, 0 unchanged, 3 failed." in again.out
    assert "Columns not used" not in again.out
    assert names(comptoir, "Aiud") == ["Good"]

    text = failed.read_text(encoding="utf-8-sig")
    for wrong, right in (("many", "2"), ("nobody", "a@b.example"), (",,4,Aiud", ",Named,4,Aiud"), (",more,cells", "")):
        text = text.replace(wrong, right)
    failed.write_text(text.replace('"“2”', '"“many”'))
    comptoir.done("import", "base.contact", str(failed))
    assert names(comptoir, "Aiud") == ["Bad", "Good", "Long", "Named"]


def test_a_guessed_encoding_is_said(comptoir: CommandLine, tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_bytes("name,city\nŁódź Śląska,Żory\n".encode("cp1250"))
    assert "cp1250, which makes “Łódź”" in comptoir.done("import", "base.contact", str(source), "--dry-run").err


def test_a_file_that_is_no_table_is_one_line(comptoir: CommandLine, tmp_path: Path) -> None:
    source = tmp_path / "contacts.csv"
    source.write_bytes(gzip.compress(b"name\nA\n"))
    assert "Unpack it" in comptoir.refused("import", "base.contact", str(source))


def test_a_circle_of_contacts_has_a_balance(comptoir: CommandLine, tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text("name,parent,city\nA,B,Blaj\nB,A,Blaj\nC,,Blaj\n")
    with pytest.raises(SystemExit) as ended:
        comptoir("import", "base.contact", str(source))
    out, err = comptoir.capsys.readouterr()
    assert (ended.value.code, "3 rows: 1 created, 0 updated, 0 unchanged, 2 failed." in out) == (1, True)
    assert "line 2, parent: It lies below itself:" in err
    assert names(comptoir, "Blaj") == []


def test_an_import_is_listed_shown_and_undone(comptoir: CommandLine, tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text("name,city\nA,Turda\nB,Turda\n")
    said = comptoir.done("import", "base.contact", str(source)).err
    latest = json.loads(comptoir.done("imports", "list", "--json", "--limit", "1").out)[0]
    assert f"comptoir imports undo {latest['id']}" in said
    assert (latest["file"], latest["state"], latest["rows"], latest["created"]) == (str(source), "done", 2, 2)
    assert "state: done" in comptoir.done("imports", "show", str(latest["id"])).out
    assert "has ended" in comptoir.refused("imports", "resume", str(latest["id"]))
    undone = comptoir.done("imports", "undo", str(latest["id"]), "--yes").out
    assert "2 records deleted, 0 as they were before, 0 left alone." in undone
    assert names(comptoir, "Turda") == []


def test_an_import_that_there_is_not_is_one_line(comptoir: CommandLine) -> None:
    for command in ("show", "resume", "undo"):
        assert "There is no import 99999" in comptoir.refused("imports", command, "99999")


def test_neither_a_dry_run_nor_a_refused_import_is_kept(comptoir: CommandLine, tmp_path: Path) -> None:
    def number() -> int:
        return len(json.loads(comptoir.done("imports", "list", "--json").out))

    before = number()
    source = tmp_path / "source.csv"
    source.write_text("name,city,employees\nA,Gherla,1\nB,Gherla,many\n")
    with pytest.raises(SystemExit):
        comptoir("import", "base.contact", str(source))
    comptoir("import", "base.contact", str(source), "--dry-run", "--keep-going")
    assert (number(), names(comptoir, "Gherla")) == (before, [])
