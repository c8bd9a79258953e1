"""The databases that tests run on."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from comptoir.testing.postgres import fresh_database, template_database, walkable, wheel_programs

pytestmark = pytest.mark.postgresql


def test_each_test_gets_an_empty_database_of_its_own(postgres_url: str) -> None:
    with fresh_database() as other:
        assert other != postgres_url
        assert _tables(postgres_url) == _tables(other) == []


def test_a_database_is_gone_after_its_test() -> None:
    with fresh_database() as url:
        _tables(url)
    with pytest.raises(sa.exc.OperationalError, match="does not exist"):
        _tables(url)


def test_a_template_is_built_once_and_copied() -> None:
    built = []

    def build(url: str) -> None:
        built.append(url)
        _execute(url, "create table bell (id integer)")

    first = template_database("bell 1", build)
    assert template_database("bell 1", build) == first
    assert len(built) == 1
    with fresh_database(template=first) as url:
        assert _tables(url) == ["bell"]


def test_a_template_that_failed_to_build_is_built_again() -> None:
    def fail(url: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        template_database("bell 2", fail)
    with fresh_database(template=template_database("bell 2", lambda url: None)) as url:
        assert _tables(url) == []


@pytest.mark.parametrize("name", ["Îngrijire", "ŁÓDŹ", "БЪЛГАРИЯ", "ƏLİ"])
def test_the_server_lowers_every_alphabet_alike(postgres_url: str, name: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        lowered = connection.scalar(sa.select(sa.func.lower(name.replace("İ", "I"))))
    engine.dispose()
    assert lowered == name.replace("İ", "I").lower()


def test_a_fresh_database_on_each_engine(database_url: str) -> None:
    assert _tables(database_url) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")
def test_programs_in_a_folder_that_lets_nobody_in_run_from_a_copy(walkable_folder: Path) -> None:
    closed = walkable_folder / "closed"
    wheel = wheel_programs().parents[2]
    for name in (wheel_programs().parents[1].name, f"{wheel_programs().parents[1].name}.libs"):
        shutil.copytree(wheel / name, closed / name, symlinks=True)
    closed.chmod(0o700)

    programs = walkable(closed / wheel_programs().relative_to(wheel), walkable_folder / "copy")

    told = subprocess.run([programs / "initdb", "--version"], user="nobody", capture_output=True, text=True, check=True)
    assert "PostgreSQL" in told.stdout
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.fixture
def walkable_folder() -> Iterator[Path]:
    """A folder that every account may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _tables(url: str) -> list[str]:
    engine = sa.create_engine(url)
    try:
        return sa.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def _execute(url: str, statement: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
