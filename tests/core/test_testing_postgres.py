"""The databases that tests run on."""

import pytest
import sqlalchemy as sa

from comptoir.testing.postgres import fresh_database, template_database

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
