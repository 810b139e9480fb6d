"""What Python cannot hold: a value of the server that the driver could not read, and the column that it is in.

`infinity`, and moments beyond the years 1 to 9999: MINYEAR and MAXYEAR of
https://docs.python.org/3/library/datetime.html.
"""

from collections.abc import Iterator
from traceback import walk_tb
from typing import Any, Final, cast

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import PGresult, abc
from sqlalchemy import Column

__all__ = ["unreadable"]

_REASON: Final = (
    "holds a value that Python cannot represent: infinity, or a moment beyond the years 1 to 9999. Change it by SQL"
)


def unreadable(cause: BaseException) -> tuple[str, str | None, str] | None:
    """Return a message, the table where one is known, and the column, of a value that could not be read.

    The error names neither. The frames of its traceback have the driver's result, and what SQLAlchemy knows of it.

    Args:
        cause: of the driver, as it was caught, with its traceback.
    """
    if not isinstance(cause, psycopg.DataError) or cause.sqlstate is not None:
        return None
    frames = [frame.f_locals for frame, _ in walk_tb(cause.__traceback__)]
    results = (value for frame in frames for value in frame.values() if isinstance(value, PGresult))
    failing = next(((number, name) for result in results for number, name in _failing(result)), None)
    if failing is None:
        return None
    number, name = failing
    for column in _columns(frames, number):
        return f"The column {column.table.name}.{column.name} {_REASON}.", column.table.name, column.name
    return f"The column {name} {_REASON}.", None, name


def _failing(result: abc.PGresult) -> list[tuple[int, str]]:
    """Return the columns that have a value that cannot be read: their numbers, and names in the statement."""
    numbers = range(result.nfields)
    return [(number, (result.fname(number) or b"").decode()) for number in numbers if not _is_readable(result, number)]


def _is_readable(result: abc.PGresult, number: int) -> bool:
    loader = Transformer().get_loader(result.ftype(number), cast("Any", result.fformat(number)))
    values = (result.get_value(row, number) for row in range(result.ntuples))
    try:
        for value in filter(None, values):
            loader.load(value)
    except psycopg.DataError:
        return False
    return True


def _columns(frames: list[dict[str, Any]], number: int) -> Iterator[Column[Any]]:
    """Return the model's column that a column of a statement is, if it is one."""
    for frame in frames:
        context = frame.get("context") or getattr(frame.get("result"), "context", None)
        compiled = getattr(context, "compiled", None)
        objects = compiled._result_columns[number].objects if compiled else ()  # noqa: SLF001 - nothing else has it
        bases = (base for item in objects for base in getattr(item, "base_columns", ()))
        yield from (base for base in bases if isinstance(base, Column))
