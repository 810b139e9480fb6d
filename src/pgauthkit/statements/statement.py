"""`Statement`: one operation as one SQL text, compiled once from SQLAlchemy Core."""

from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    LargeBinary,
    SelectBase,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.elements import BindParameter, ClauseElement
from sqlalchemy.types import TypeEngine

__all__ = [
    "BY_NOW",
    "NOW",
    "Statement",
    "binary",
    "constant",
    "duration",
    "flag",
    "materialized",
    "moment",
    "number",
    "text",
]

_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there


class Statement:
    """The SQL of one operation, with the names of its parameters.

    It goes to the driver as text, so values pass without SQLAlchemy's processors: only types that psycopg reads and
    writes by itself may stand in it.
    """

    def __init__(self, element: ClauseElement) -> None:
        self._element = element

    @cached_property
    def sql(self) -> str:
        """The text, in psycopg's parameter style, with a cast at each parameter so that the server prepares it once."""
        return str(self._element.compile(dialect=_DIALECT))


def _parameter(name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
    return bindparam(name, type_=kind, required=True)


def text(name: str) -> BindParameter[Any]:
    """A parameter of text."""
    return _parameter(name, Text())


def binary(name: str) -> ColumnElement[Any]:
    """A parameter of bytes; cast, since None would otherwise be taken for text."""
    return cast(_parameter(name, LargeBinary()), LargeBinary())


def duration(name: str) -> BindParameter[Any]:
    """A parameter of `timedelta`."""
    return _parameter(name, Interval())


def moment(name: str) -> BindParameter[Any]:
    """A parameter of aware `datetime`."""
    return _parameter(name, DateTime(timezone=True))


def flag(name: str) -> BindParameter[Any]:
    """A parameter of `bool`."""
    return _parameter(name, Boolean())


def number(name: str) -> BindParameter[Any]:
    """A parameter of `int`."""
    return _parameter(name, Integer())


def constant(word: str) -> ColumnElement[str]:
    """A word of our own, written into the SQL."""
    return literal_column(f"'{word}'", Text())


def materialized(rows: SelectBase, name: str) -> CTE:
    """Name a step whose rows are read, and locked, exactly once."""
    return rows.cte(name).prefix_with("MATERIALIZED")


# statement_timestamp() and not now(), which stands still inside a host's transaction.
NOW: Final[ColumnElement[Any]] = func.coalesce(moment("clock"), func.statement_timestamp())
# For what is judged after a wait for a row: whoever held it may have begun later than this statement did.
BY_NOW: Final[ColumnElement[Any]] = func.coalesce(moment("clock"), func.clock_timestamp())
