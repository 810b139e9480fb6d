"""What a revision does to the rows that are there: said before it is applied."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs
from alembic.operations import ops
from alembic.operations.ops import MigrateOperation
from sqlalchemy import Column, ColumnElement, Connection, DateTime, column, select, table

__all__ = ["Hazard", "find_hazards"]

_ADDED: Final = (
    "{name} is NOT NULL and without a default, and the table has rows: the server would refuse it. There are three"
    " ways: give it a server_default; make it nullable; or change the revision to add it as nullable, fill it with"
    " op.execute(…), and then op.alter_column(…, nullable=False)."
)
_TIGHTENED: Final = (
    "{name} becomes NOT NULL, and has NULL in some rows: the server would refuse it. There are three ways: fill it in"
    " the revision, with op.execute(…) before the change; leave it nullable; or delete these rows there."
)
_ZONED: Final = (
    "{name} changes from {old} to {new}, and the server reads what is there in the time zone of the session. Say which"
    ' it is, in both directions of the revision, such as UTC: op.alter_column(…, postgresql_using="{column} AT TIME'
    " ZONE 'UTC'\")."
)
_OfTable: TypeAlias = ops.AlterTableOp | ops.DropTableOp
_LOST: Final = "{name} is dropped, and all that is in it is lost."


@attrs.frozen(kw_only=True)
class Hazard:
    """What a revision does to rows.

    Attributes:
        message: what it is and what to do, in sentences.
        is_refused: whether the server will refuse the revision on this database.
        loses: the table or the column that is dropped and holds something; None for anything else.

    Example:
        >>> Hazard(message="posts.subtitle is NOT NULL and without a default, …", is_refused=True).is_refused
        True
    """

    message: str
    is_refused: bool
    loses: str | None = None


def find_hazards(connection: Connection, operations: Sequence[MigrateOperation]) -> tuple[Hazard, ...]:
    """Look at the rows that operations would change. Reads only.

    Args:
        connection: to the database that the revision is written for.
        operations: of the revision.

    Example:
        >>> find_hazards(connection, operations)  # doctest: +SKIP
        (Hazard(message='posts.subtitle is NOT NULL and without a default, …', is_refused=True),)
    """
    changes = (one for found in operations for one in (found.ops if isinstance(found, ops.ModifyTableOps) else [found]))
    return tuple(hazard for change in changes for hazard in _of(connection, change))


def _of(connection: Connection, change: MigrateOperation) -> Iterator[Hazard]:
    if isinstance(change, ops.DropTableOp | ops.DropColumnOp):
        yield from _lost(connection, change)
    elif isinstance(change, ops.AddColumnOp):
        if _is_required(change.column) and _has_rows(connection, change):
            yield Hazard(message=_ADDED.format(name=_name(change, change.column.name)), is_refused=True)
    elif isinstance(change, ops.AlterColumnOp):
        name, old, new = _name(change, change.column_name), change.existing_type, change.modify_type
        is_empty = column(change.column_name).is_(None)
        if change.modify_nullable is False and _has_rows(connection, change, is_empty):
            yield Hazard(message=_TIGHTENED.format(name=name), is_refused=True)
        if isinstance(old, DateTime) and isinstance(new, DateTime) and old.timezone != new.timezone:
            before, after = (f"timestamp{'tz' * one.timezone}" for one in (old, new))
            told = _ZONED.format(name=name, old=before, new=after, column=change.column_name)
            yield Hazard(message=told, is_refused=False)


def _lost(connection: Connection, change: ops.DropTableOp | ops.DropColumnOp) -> Iterator[Hazard]:
    if isinstance(change, ops.DropColumnOp):
        name, filled = _name(change, change.column_name), [column(change.column_name).is_distinct_from(None)]
    else:
        name, filled = _name(change), []
    if _has_rows(connection, change, *filled):
        yield Hazard(message=_LOST.format(name=name), is_refused=False, loses=name)


def _is_required(new: Column[Any]) -> bool:
    filled = (new.server_default, new.identity, new.computed)
    is_counted = new is new.table.autoincrement_column
    return not new.nullable and not is_counted and all(one is None for one in filled)


def _has_rows(connection: Connection, change: _OfTable, *conditions: ColumnElement[bool]) -> bool:
    rows = select().select_from(table(change.table_name, schema=change.schema)).where(*conditions)
    return bool(connection.scalar(select(rows.exists())))


def _name(change: _OfTable, *names: str) -> str:
    return ".".join(filter(None, (change.schema, change.table_name, *names)))
