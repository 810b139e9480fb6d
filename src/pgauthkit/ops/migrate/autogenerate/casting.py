"""How the values of a column become those of another type, where the server does not do it unasked."""

import re
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

__all__ = ["casts", "type_of", "using"]

_AFTER_TYPE: Final = re.compile(r" (?=NOT NULL|GENERATED|DEFAULT)")
# The last is for what is written alike: from one enum to another, from one range to another, or arrays of these.
_WAYS: Final = ("", "::", "::text::")
_ALIKE: Final = text(
    "SELECT bool_and(typtype IN ('e', 'r', 'm')) AND count(DISTINCT typtype) = 1 FROM pg_type WHERE oid IN ("
    "SELECT coalesce(nullif(typelem, 0), oid) FROM pg_type WHERE oid IN (to_regtype(:old), to_regtype(:new)))"
)
_COLLATION: Final = re.compile(r" COLLATE .*")


def type_of(said: str) -> tuple[str, str]:
    """Return a column's type with its collation, and what follows it in its definition.

    Example:
        >>> type_of("numeric(10,2) NOT NULL DEFAULT 0")
        ('numeric(10,2)', 'NOT NULL DEFAULT 0')
    """
    kind, *rest = _AFTER_TYPE.split(said, maxsplit=1)
    return kind, " ".join(rest)


def using(column: str, way: str, kind: str) -> str:
    """Return the clause that casts a column on a way, as it is found by `casts`; nothing where none is needed.

    Example:
        >>> using("size", "::", "integer")
        ' USING size::integer'
    """
    return f" USING {column}{way}{_COLLATION.sub('', kind)}" if way else ""


def casts(connection: Connection, changes: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Return the columns whose values have to be cast, with the casts of the way up, and of the way down.

    Both ways are tried on a table of the moment; a way that the server goes by itself, or not even when asked, has
    none.

    Args:
        connection: in a transaction.
        changes: the old and the new type of columns, by their full names.

    Example:
        >>> casts(connection, {"public.posts.size": ("text", "integer")})  # doctest: +SKIP
        {'public.posts.size': ('::', '')}
    """
    ways = {name: (_cast(connection, old, new), _cast(connection, new, old)) for name, (old, new) in changes.items()}
    return {name: way for name, way in ways.items() if any(way)}


def _cast(connection: Connection, old: str, new: str) -> str:
    bare = {name: _COLLATION.sub("", kind) for name, kind in (("old", old), ("new", new))}
    ways = _WAYS if connection.scalar(_ALIKE, bare) else _WAYS[:2]
    return next((way for way in ways if _takes(connection, old, new + using("c", way, new))), "")


def _takes(connection: Connection, old: str, change: str) -> bool:
    with connection.begin_nested() as nested:
        try:
            connection.exec_driver_sql(f"CREATE TEMPORARY TABLE pgauthkit_cast (c {old})")
            connection.exec_driver_sql(f"ALTER TABLE pg_temp.pgauthkit_cast ALTER COLUMN c TYPE {change}")
        except DBAPIError:
            return False
        finally:
            nested.rollback()
    return True
