"""A result of libpq as types and rows of Python's."""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from psycopg import abc
    from psycopg.pq.abc import PGresult

__all__ = ["Rows", "loaded", "types_of"]

Rows: TypeAlias = list[tuple[Any, ...]]


def loaded(result: "PGresult", transformer: "abc.Transformer") -> tuple[tuple[int, ...], Rows]:
    """Return the types of a result's columns, and its rows as Python has them."""
    transformer.set_pgresult(result)
    return types_of(result), transformer.load_rows(0, result.ntuples, tuple)


def types_of(result: "PGresult") -> tuple[int, ...]:
    """Return the types of a result's columns, as the server numbers them."""
    return tuple(map(result.ftype, range(result.nfields)))
