"""Whole columns are checked as their values are, one by one."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, strategies as st
from sqlalchemy import BigInteger, Column, Integer, MetaData, Numeric, SmallInteger, String, Table, Text

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.values import check_column, check_value

TABLE = Table(
    "things",
    MetaData(),
    Column("small", SmallInteger),
    Column("whole", Integer),
    Column("big", BigInteger),
    Column("price", Numeric(6, 2)),
    Column("rounded", Numeric(3)),
    Column("any", Numeric),
    Column("short", String(3)),
    Column("text", Text),
)
INTEGERS = st.integers() | st.sampled_from(
    [sign * 2**bits + step for bits in (15, 31, 63) for sign in (1, -1) for step in (-1, 0)]
)
DECIMALS = (
    st.decimals() | st.decimals(-10_001, 10_001, places=2) | st.sampled_from([Decimal("1E+5"), Decimal("1E-99999")])
)
VALUES = {
    **dict.fromkeys(("small", "whole", "big"), INTEGERS),
    **dict.fromkeys(("price", "rounded", "any"), DECIMALS),
    **dict.fromkeys(("short", "text"), st.text(max_size=4) | st.text("\0\ud800a", max_size=3)),
}
COLUMNS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.lists(VALUES[name], min_size=1, max_size=5) | st.lists(VALUES[name] | st.none() | st.booleans(), max_size=5),
    )
)


def refusal(check: Callable[[], object]) -> tuple[type[RepositoryError], str] | None:
    try:
        check()
    except RepositoryError as error:
        return type(error), str(error)
    return None


def one_by_one(column: Column[Any], values: Sequence[object]) -> None:
    for value in values:
        check_value(column, value)


@given(COLUMNS)
@example(("price", [Decimal("0.001"), Decimal("-0.001")]))
@example(("price", [Decimal("9999.99"), Decimal("1E-1000000")]))
@example(("price", [Decimal("9999.99"), Decimal("-9999.99")]))
@example(("price", [Decimal(10000), Decimal(1)]))
@example(("price", [Decimal("sNaN"), Decimal(1)]))
@example(("price", [Decimal("Infinity"), Decimal(1)]))
@example(("rounded", [Decimal("1E+2"), Decimal(999)]))
@example(("small", [32767, -32768]))
def test_a_column_is_checked_as_its_values(given: tuple[str, list[object]]) -> None:
    """The quick way says of a column what the slow one does, whatever is in it."""
    name, values = given
    column = TABLE.columns[name]
    assert refusal(lambda: check_column(column, values)) == refusal(lambda: one_by_one(column, values))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("price", [Decimal("0.01"), Decimal("1.005")]),
        ("small", [1, 32768]),
        ("short", ["abc", "abcd"]),
        ("text", ["\0"]),
    ],
)
def test_one_that_does_not_fit_is_found(name: str, values: list[object]) -> None:
    """One value in a column that does not fit is refused, and the column is named."""
    found = refusal(lambda: check_column(TABLE.columns[name], values))
    assert found
    assert f"things.{name}" in found[1]
