"""What Alembic has found, and the catalog knows better, is taken out of a revision, or made as the models have it."""

from collections.abc import Collection, Sequence
from typing import Any

from alembic.operations import ops
from alembic.operations.ops import MigrateOperation, OpContainer
from sqlalchemy import Column, Identity, MetaData, Sequence as CountedBy, Table
from sqlalchemy.schema import SchemaItem

__all__ = ["leave_out", "leave_same"]


def leave_out(metadata: Collection[MetaData], operations: ops.UpgradeOps) -> tuple[str, ...]:
    """Take views and temporary tables out of the tables that a revision makes, and return what to say of these.

    Example:
        >>> leave_out([], ops.UpgradeOps([]))
        ()
    """
    tables = {(table.schema, table.name): table for one in metadata for table in one.tables.values()}
    passing = {name for name, table in tables.items() if _is_temporary(table)}
    views = {name for name, table in tables.items() if table.is_view}
    operations.ops[:] = [one for one in operations.ops if _name(one) not in views | passing]
    for one in operations.ops:
        if isinstance(one, ops.CreateTableOp):
            one.columns = [_as_made(item) for item in one.columns]
            _without_concurrently(operations.ops, _name(one))
    said = "The table {}: it is temporary, so that a session makes it, and no revision."
    return tuple(said.format(".".join(filter(None, name))) for name in sorted(passing, key=str))


def _is_temporary(table: Table) -> bool:
    made: Any = table  # There is no public way to what is asked of it.
    return bool({"TEMPORARY", "TEMP"} & {*made._prefixes}) or getattr(made._creator_ddl, "temporary", False)  # noqa: SLF001


def _name(operation: MigrateOperation) -> tuple[str | None, str]:
    return getattr(operation, "schema", None), str(getattr(operation, "table_name", ""))


def _as_made(item: SchemaItem) -> SchemaItem:
    """Return a column of a key so that the server counts it only where the model lets it."""
    if not isinstance(item, Column):
        return item
    column: Column[Any] = item  # pyright: ignore[reportUnknownVariableType]  # of any type
    is_optional = isinstance(column.default, CountedBy) and column.default.optional
    if not column.primary_key or column.default is None or is_optional:
        return column
    plain = column._copy()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]  # as above
    plain.autoincrement = False
    return plain


def _without_concurrently(operations: Sequence[MigrateOperation], table: tuple[str | None, str]) -> None:
    """Nobody writes to a table that is made in the same transaction."""
    for one in operations:
        for part in one.ops if isinstance(one, ops.ModifyTableOps) else [one]:
            if isinstance(part, ops.CreateIndexOp) and _name(part) == table:
                part.kw.pop("postgresql_concurrently", None)


def leave_same(container: OpContainer, home: str, same: Collection[tuple[str, str]], apart: Collection[str]) -> None:
    """Take out what is the same by the catalog: indexes, and what Alembic would alter of columns.

    Args:
        container: of a revision; what is in there is changed in place.
        home: the schema of a table without one.
        same: tables, each with the full name of what is the same in there.
        apart: what is written otherwise, by full names: indexes that are made outside a transaction, columns whose
            values have to be cast to their new type.

    Example:
        >>> leave_same(ops.UpgradeOps([]), "public", [], [])
    """

    def is_left(operation: MigrateOperation) -> bool:
        owner = f"{operation.schema or home}.{operation.table_name}"  # type: ignore[attr-defined]  # see below
        if isinstance(operation, ops.AlterColumnOp):
            _settle(operation, is_same=(owner, f"{owner}.{operation.column_name}") in same)
            if f"{owner}.{operation.column_name}" in apart:
                operation.modify_type = None
            return not operation.has_changes() and operation.modify_name is None
        name = f"{operation.schema or home}.{operation.index_name}"  # type: ignore[attr-defined]  # see below
        return (owner, name) in same or name in apart

    for inner in container.ops:
        if isinstance(inner, ops.ModifyTableOps):
            leave_same(inner, home, same, apart)
    kinds = (ops.CreateIndexOp, ops.DropIndexOp, ops.AlterColumnOp)
    container.ops[:] = [
        inner
        for inner in container.ops
        if not (isinstance(inner, kinds) and is_left(inner))
        and not (isinstance(inner, ops.ModifyTableOps) and inner.is_empty())
    ]


def _settle(change: ops.AlterColumnOp, *, is_same: bool) -> None:
    """Leave of a change what the catalog has no better word for: an identity is not altered as a default is."""
    change.kw.pop("autoincrement", None)  # It is for MySQL alone, and warns.
    defaults = (change.modify_server_default, change.existing_server_default)
    if is_same or any(isinstance(one, Identity) for one in defaults):
        change.modify_server_default = change.existing_server_default = False
    if is_same:
        change.modify_type = change.modify_nullable = None
