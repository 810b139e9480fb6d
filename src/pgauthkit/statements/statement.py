"""`Statement`: one operation as one SQL text, compiled once from SQLAlchemy Core."""

import re
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Interval,
    LargeBinary,
    SelectBase,
    Text,
    any_,
    bindparam,
    cast,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

__all__ = [
    "BY_NOW",
    "NOW",
    "Statement",
    "big_number",
    "binaries",
    "binary",
    "constant",
    "duration",
    "flag",
    "in_order_of",
    "looked_up",
    "materialized",
    "moment",
    "number",
    "single",
    "text",
    "texts",
    "unsized",
]

_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
# The same, but distinct: what is compiled for it takes the time from a parameter.
_ON_A_CLOCK: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # the same
# What Pgpool-II looks for, at the very beginning: a standby may not have yet what was written a moment ago, and would
# let in a user who has just signed out. https://www.pgpool.net/docs/latest/en/html/runtime-config-load-balancing.html
_TO_THE_PRIMARY: Final = "/*NO LOAD BALANCE*/ "
_WRITES: Final = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")


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
        return f"{_TO_THE_PRIMARY}{self._element.compile(dialect=_DIALECT)}"

    @cached_property
    def is_read(self) -> bool:
        """Whether it writes nothing, and locks nothing to write it."""
        return not _WRITES.search(self.sql)

    @cached_property
    def sql_on_a_clock(self) -> str:
        """The text with a parameter `clock` in place of the server's time."""
        return f"{_TO_THE_PRIMARY}{self._element.compile(dialect=_ON_A_CLOCK)}"


def _parameter(name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
    return bindparam(name, type_=kind, required=True)


def single(column: ColumnElement[Any], *which: ColumnElement[bool]) -> ColumnElement[Any]:
    """The value of a row of which there is one at most, to look up another row by.

    Not to be joined: to a planner that believes a table to be empty, a join costs as much by all of its rows as by an
    index. It takes either, and keeps the plan while the table grows.
    """
    return select(column).where(*which).correlate(None).scalar_subquery()


def looked_up(column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Join rows of which there are few: only an index serves for this comparison. For the reason, see `single`."""
    return column == any_(array([value]))


def unsized(array: ColumnElement[Any]) -> ColumnElement[Any]:
    """A parameter of a list, whose length the planner does not see.

    It takes a list that it does not know to be of ten (`estimate_array_length` in selfuncs.c). For a shorter one it
    finds a plan of its own cheaper than the one that it keeps, and plans at each call: 110 of 250 µs for a list of 8.
    """
    return cast(select(array).scalar_subquery(), array.type)


def in_order_of(key: ColumnElement[Any]) -> ColumnElement[Any]:
    """Sort few rows by their key, as all that lock them do; not by a walk over its index, which is that of all rows.

    To a planner that believes a table to be empty, the walk is cheaper than to sort what another index finds.
    """
    return key.concat(literal_column("''", Text()))


def text(name: str) -> BindParameter[Any]:
    """A parameter of text."""
    return _parameter(name, Text())


def binary(name: str) -> ColumnElement[Any]:
    """A parameter of bytes; cast, since None would otherwise be taken for text."""
    return cast(_parameter(name, LargeBinary()), LargeBinary())


def binaries(name: str) -> ColumnElement[Any]:
    """A parameter of a list of bytes."""
    return cast(_parameter(name, ARRAY(LargeBinary())), ARRAY(LargeBinary()))


def texts(name: str) -> ColumnElement[Any]:
    """A parameter of a list of texts."""
    return cast(_parameter(name, ARRAY(Text())), ARRAY(Text()))


def duration(name: str) -> ColumnElement[Any]:
    """A parameter of seconds, as an interval.

    Not of `timedelta`, which goes out with days: a day has 23 or 25 hours where the session's time zone says so.
    """
    seconds: Double[Any] = Double()
    return cast(_parameter(name, seconds), seconds) * literal_column("interval '1 second'", Interval())


def moment(name: str) -> BindParameter[Any]:
    """A parameter of aware `datetime`."""
    return _parameter(name, DateTime(timezone=True))


def flag(name: str) -> BindParameter[Any]:
    """A parameter of `bool`."""
    return _parameter(name, Boolean())


def number(name: str) -> BindParameter[Any]:
    """A parameter of `int`."""
    return _parameter(name, Integer())


def big_number(name: str) -> BindParameter[Any]:
    """A parameter of `int`, in 64 bits."""
    return _parameter(name, BigInteger())


def constant(word: str) -> ColumnElement[str]:
    """A word of our own, written into the SQL."""
    return literal_column(f"'{word}'", Text())


def materialized(rows: SelectBase, name: str) -> CTE:
    """Name a step whose rows are read, and locked, exactly once."""
    return rows.cte(name).prefix_with("MATERIALIZED")


class _Now(FunctionElement[datetime]):
    """The time by which a statement judges: the server's, or that of a clock which was given on purpose."""

    type = DateTime(timezone=True)
    inherit_cache = False

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()


@compiles(_Now)
def _compile_now(element: _Now, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return compiler.process(moment("clock"), **options) if compiler.dialect is _ON_A_CLOCK else f"{element.name}()"


# statement_timestamp() and not now(), which stands still inside a host's transaction.
NOW: Final[ColumnElement[Any]] = _Now("statement_timestamp")
# For what is judged after a wait for a row: the transaction that held it may have begun later than this statement did.
BY_NOW: Final[ColumnElement[Any]] = _Now("clock_timestamp")
