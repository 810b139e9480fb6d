"""The table that users come from: found, and each of our columns read from one of its columns or by default."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs
from sqlalchemy import (
    TIMESTAMP,
    Boolean,
    ColumnClause,
    ColumnElement,
    Connection,
    Enum,
    Inspector,
    Integer,
    Numeric,
    Select,
    String,
    TableClause,
    Text,
    Uuid,
    cast,
    column,
    distinct,
    func,
    inspect,
    literal,
    null,
    select,
    table,
    true,
)
from sqlalchemy.types import TypeEngine

from pgauthkit.errors import BaselineError, PendingMigrationsError
from pgauthkit.models import SCHEMA, User
from pgauthkit.values import UserRole

__all__ = ["Source", "find_source"]

_Types: TypeAlias = Mapping[str, TypeEngine[Any]]

# As the guide calls it, with @@map, and as people write it.
_TABLES: Final = ("User", "users", "user", "Users")
_OURS: Final = ("id", "email", "role", "is_active", "last_login_at", "created_at", "updated_at")
_IDS: Final = (String, Uuid, Integer, Numeric)
_DEFAULTS: Final[Mapping[str, tuple[ColumnElement[Any], str]]] = {
    "role": (literal(UserRole.USER.value), "USER for everybody"),
    "is_active": (true(), "true for everybody"),
    "last_login_at": (null(), "never"),
    "created_at": (func.now(), "now"),
    "updated_at": (null(), "as created_at"),
}


@attrs.frozen(kw_only=True)
class Source:
    """A table of users.

    Attributes:
        table: the table.
        key: its column with the ids, of its own type.
        values: what each of our columns gets.
        told: the same in words.
    """

    table: TableClause
    key: ColumnElement[Any]
    values: Mapping[str, ColumnElement[Any]]
    told: Mapping[str, str]

    def batch(self, after: object, size: int) -> Select[Any]:
        """Return the statement for the next users by id; the first where `after` is None."""
        names = [self.values[name].label(name) for name in ("id", "email", "role")]
        rows = select(self.key.label("key"), *names).select_from(self.table).order_by(self.key).limit(size)
        return rows if after is None else rows.where(self.key > after)


def find_source(connection: Connection, *, schema: str, table_name: str | None, columns: Mapping[str, str]) -> Source:
    """Find the table of users, and what to read of it. Reads only.

    Args:
        connection: to the database.
        schema: where the table is.
        table_name: the table; None for the one that has a name which tables of users have.
        columns: of the table by ours, where they are not found by their names; nothing for the default.

    Raises:
        BaselineError: there is no such table or column, or one of a type that cannot be read; says what to give.
        PendingMigrationsError: our tables are not there.

    Example:
        >>> find_source(connection, schema="public", table_name=None, columns={}).told["role"]  # doctest: +SKIP
        'role'
    """
    catalog = inspect(connection)
    if not catalog.has_table(User.__tablename__, schema=SCHEMA):
        raise PendingMigrationsError
    name = table_name or _only_table(catalog, schema)
    if not catalog.has_table(name, schema=schema):
        raise BaselineError(f"There is no table {name} in the schema {schema}.")
    theirs = {one["name"]: one["type"] for one in catalog.get_columns(name, schema=schema)}
    ours = {one["name"]: one for one in catalog.get_columns(User.__tablename__, schema=SCHEMA)}
    if unknown := columns.keys() - ours.keys():
        raise BaselineError(f"Our table of users has no column {', '.join(sorted(unknown))}; it has {', '.join(ours)}.")
    if lost := {*filter(None, columns.values())} - theirs.keys():
        raise BaselineError(f"There is no column {', '.join(sorted(lost))} in {name}; it has {', '.join(theirs)}.")
    chosen = {one: columns.get(one, _by_name(one, theirs)) for one in (*_OURS, *columns)}
    required = [one for one, ours_has in ours.items() if not ours_has["nullable"] and not ours_has["default"]]
    if missing := [one for one in required if not chosen.get(one) and one not in _DEFAULTS]:
        raise BaselineError(f"{name} has no column for {', '.join(missing)}: give --column {missing[0]}=NAME.")
    source = table(name, *(column(one, kind) for one, kind in theirs.items()), schema=schema)
    return _source(connection, source, chosen, {one: ours[one]["type"] for one in ours})


def _only_table(catalog: Inspector, schema: str) -> str:
    found = [name for name in _TABLES if catalog.has_table(name, schema=schema)]
    if len(found) == 1:
        return found[0]
    what = f"the tables {', '.join(found)}" if found else f"no table {', '.join(_TABLES[:-1])} or {_TABLES[-1]}"
    raise BaselineError(f"There is {what} in the schema {schema}: say which it is, --table NAME.")


def _by_name(ours: str, theirs: _Types) -> str:
    first, *rest = ours.split("_")
    camel = first + "".join(word.capitalize() for word in rest)
    return next((name for name in (camel, ours) if name in theirs), "")


def _source(connection: Connection, source: TableClause, chosen: Mapping[str, str], types: _Types) -> Source:
    key = source.c[chosen["id"]]
    if not isinstance(key.type, _IDS):
        raise BaselineError(f"The column {key.name} is of type {key.type}, which is no type of ids.")
    rows, keys = connection.execute(select(func.count(), func.count(distinct(key))).select_from(source)).one()
    if rows != keys:
        raise BaselineError(f"The column {key.name} is NULL, or the same, in several rows: it identifies nobody.")
    values: dict[str, ColumnElement[Any]] = {}
    told: dict[str, str] = {}
    for ours, name in chosen.items():
        if name:
            values[ours], told[ours] = _read(ours, source.c[name], types[ours])
        elif ours in _DEFAULTS:
            values[ours], told[ours] = _DEFAULTS[ours]
    values["updated_at"] = func.coalesce(values["updated_at"], values["created_at"])
    return Source(table=source, key=key, values=values, told=told)


def _read(ours: str, theirs: ColumnClause[Any], kind: TypeEngine[Any]) -> tuple[ColumnElement[Any], str]:
    if isinstance(kind, TIMESTAMP):
        when, told = _instant(theirs)
        return (func.coalesce(when, func.now()) if ours == "created_at" else when), told
    value: ColumnElement[Any] = cast(theirs, Text) if isinstance(theirs.type, Enum) else theirs
    if ours == "role":
        return func.coalesce(func.upper(cast(value, Text)), UserRole.USER.value), theirs.name
    if isinstance(kind, Boolean) and not isinstance(theirs.type, Boolean):
        raise BaselineError(f"The column {theirs.name} is of type {theirs.type}, and {ours} is a boolean.")
    if ours == "is_active":
        return func.coalesce(theirs, true()), theirs.name
    is_text = isinstance(theirs.type, String) or not isinstance(kind, String)
    return cast(value, kind), theirs.name if is_text else f"{theirs.name} ({theirs.type}) as text"


def _instant(theirs: ColumnClause[Any]) -> tuple[ColumnElement[Any], str]:
    # Prisma's `DateTime` is a timestamp in UTC, and with @db.Timestamptz an instant already.
    if not isinstance(theirs.type, TIMESTAMP):
        raise BaselineError(
            f"The column {theirs.name} of the table is of type {theirs.type}, and no time can be read from it without a"
            f' guess. Make it one: ALTER TABLE … ALTER COLUMN "{theirs.name}" TYPE timestamptz USING …'
        )
    return (theirs, theirs.name) if theirs.type.timezone else (func.timezone("UTC", theirs), f"{theirs.name}, in UTC")
