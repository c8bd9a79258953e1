"""What a column keeps comes back exactly, on both engines, or is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from comptoir.db.types import Json, MoneyType, UtcDateTime, average, fold

metadata = sa.MetaData()
sample = sa.Table(
    "sample",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("amount", MoneyType),
    sa.Column("moment", UtcDateTime),
    sa.Column("content", Json),
)

amounts = st.decimals(Decimal("-99999999999999.9999"), Decimal("99999999999999.9999"), places=4)
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.timezones())
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
contents = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9, width=32) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def connection(module_engine: sa.Engine) -> Iterator[sa.Connection]:
    metadata.create_all(module_engine)
    with module_engine.connect() as connection:
        yield connection


def kept(connection: sa.Connection, **values: Any) -> Any:
    with connection.begin() as transaction:
        connection.execute(sa.delete(sample))
        connection.execute(sa.insert(sample).values(**values))
        (name,) = values
        value = connection.scalar(sa.select(sample.c[name]))
        transaction.rollback()
    return value


def stored(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(sa.delete(sample))
    connection.execute(sa.insert(sample), rows)


@given(amount=amounts)
def test_an_amount_comes_back_exactly(connection: sa.Connection, amount: Decimal) -> None:
    assert kept(connection, amount=amount) == amount


@given(several=st.lists(amounts, min_size=1, max_size=9))
def test_the_database_sums_and_orders_amounts_exactly(connection: sa.Connection, several: list[Decimal]) -> None:
    with connection.begin() as transaction:
        stored(connection, [{"amount": amount} for amount in several])
        total, least, most = connection.execute(
            sa.select(
                sa.func.sum(sample.c.amount),
                sa.func.min(sample.c.amount),
                sa.func.max(sample.c.amount),
            )
        ).one()
        ordered = connection.scalars(sa.select(sample.c.amount).order_by(sample.c.amount)).all()
        above = connection.scalar(sa.select(sa.func.count()).where(sample.c.amount > several[0]))
        transaction.rollback()
    assert (total, least, most) == (sum(several), min(several), max(several))
    assert isinstance(total, Decimal)
    assert ordered == sorted(several)
    assert above == sum(amount > several[0] for amount in several)


def test_an_amount_is_multiplied_by_a_plain_number_and_averaged(
    connection: sa.Connection,
) -> None:
    with connection.begin() as transaction:
        stored(connection, [{"amount": Decimal("10.01")}, {"amount": Decimal("20.02")}])
        mean, tripled = connection.execute(sa.select(average(sample.c.amount), sa.func.max(sample.c.amount * 3))).one()
        transaction.rollback()
    assert (mean, tripled) == (Decimal("15.0150"), Decimal("60.06"))


@pytest.mark.parametrize(
    "amount",
    [
        1.5,
        True,
        "12",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal(10) ** 14,
        Decimal("0.00001"),
    ],
    ids=repr,
)
def test_what_is_no_exact_amount_is_refused(connection: sa.Connection, amount: object) -> None:
    with pytest.raises(StatementError) as refusal:
        kept(connection, amount=amount)
    assert isinstance(refusal.value.orig, ValueError)


@given(moment=moments)
def test_a_moment_comes_back_as_the_same_moment_in_utc(connection: sa.Connection, moment: datetime) -> None:
    result = kept(connection, moment=moment)
    assert result == moment.astimezone(UTC)
    assert result.tzinfo is UTC


@given(several=st.lists(moments, min_size=1, max_size=6))
def test_the_database_orders_moments(connection: sa.Connection, several: list[datetime]) -> None:
    with connection.begin() as transaction:
        stored(connection, [{"moment": moment} for moment in several])
        ordered = connection.scalars(sa.select(sample.c.moment).order_by(sample.c.moment)).all()
        transaction.rollback()
    assert ordered == sorted(moment.astimezone(UTC) for moment in several)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 1),
        "2026-01-01T00:00:00Z",
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    ],
    ids=["naive", "text", "outside"],
)
def test_what_is_no_moment_is_refused(connection: sa.Connection, moment: object) -> None:
    with pytest.raises(StatementError) as refusal:
        kept(connection, moment=moment)
    assert isinstance(refusal.value.orig, ValueError)


@given(content=contents)
def test_json_comes_back_as_it_was(connection: sa.Connection, content: object) -> None:
    assert kept(connection, content=content) == content


@pytest.mark.parametrize(
    "content",
    [float("nan"), [float("inf")], {"a": "\x00"}, "\ud800", {1: 2}, {"a": {1}}],
    ids=repr,
)
def test_what_json_cannot_keep_is_refused(connection: sa.Connection, content: object) -> None:
    with pytest.raises(StatementError) as refusal:
        kept(connection, content=content)
    assert isinstance(refusal.value.orig, ValueError)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ŁÓDŹ", "lodz"),
        ("İstanbul IŞIK ışık", "istanbul isik isik"),
        ("ŞƏKİ Əliyev", "seki eliyev"),
        ("ИВАН Й Ё", "иван и е"),
        ("Straße  GROẞ", "strasse gross"),
        ("Đorđe Þór Ærø Œuvre", "dorde thor aero oeuvre"),
        (" Ștefan\t\nȚepeș\u00a0", "stefan tepes"),
        ("ﬁn ⅻ Ⅷ", "fin xii viii"),
        ("O\u2019Neill", "o'neill"),
        ("", ""),
    ],
)
def test_a_search_key_has_no_case_and_no_accents(text: str, key: str) -> None:
    assert fold(text) == key


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_the_case_of_a_text_does_not_matter(text: str) -> None:
    assert fold(text) == fold(text.casefold())
