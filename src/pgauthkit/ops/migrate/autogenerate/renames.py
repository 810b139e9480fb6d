"""Columns that go while another of the same type comes: perhaps it has only a new name, and its values should stay."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column
from sqlalchemy.types import NullType

from pgauthkit.errors import MigrationError

__all__ = ["Rename", "rename_columns"]

# What is about a column's old name or with it, and goes before the column is renamed.
_FIRST: Final = (ops.DropIndexOp, ops.DropConstraintOp)


@attrs.frozen(kw_only=True)
class Rename:
    """A column that may have only a new name.

    Attributes:
        table: its table, with the schema where that is not the usual one.
        old: the name of the column that would be dropped.
        new: the name of the column that would be added.

    Example:
        >>> Rename(table="posts", old="title", new="headline").warning[:37]
        'posts.title is dropped with its value'
    """

    table: str
    old: str
    new: str

    @property
    def warning(self) -> str:
        """What is lost where nobody says that it is one, and how to say so."""
        return (
            f"{self.table}.{self.old} is dropped with its values, and {self.table}.{self.new} of the same type is added"
            f" empty. If it is the same column under a new name, say so: --rename {self.table}.{self.old}={self.new}."
        )


class _RenameColumn(ops.AlterColumnOp):
    """Another name for a column, with what else differs; undone under the new name."""

    def reverse(self) -> ops.AlterColumnOp:
        back = super().reverse()
        back.column_name, back.modify_name = str(self.modify_name), self.column_name
        return back


def rename_columns(
    context: MigrationContext,
    operations: ops.UpgradeOps,
    wanted: Mapping[str, str],
    agrees: Callable[[Rename], bool],
) -> tuple[Rename, ...]:
    """Rename columns instead of dropping and adding them, where somebody says so.

    Args:
        context: of the env.py.
        operations: what Alembic has found; changed in place.
        wanted: new names by `table.column`, of whatever type.
        agrees: whether a column that goes and one of the same type that comes are one.

    Raises:
        MigrationError: there is no such pair among the changes for one of `wanted`.

    Returns:
        What may have been one, and nobody said so.

    Example:
        >>> rename_columns(context, operations, {"posts.title": "headline"}, lambda _: False)  # doctest: +SKIP
        ()
    """
    missing, doubtful = {**wanted}, list[Rename]()
    for changes in operations.ops:
        if isinstance(changes, ops.ModifyTableOps):
            doubtful += _of_table(context, changes, missing, agrees)
    if missing:
        names = ", ".join(f"{old}={new}" for old, new in missing.items())
        raise MigrationError(f"Nothing was written: no column goes while another comes as {names} says.")
    return tuple(doubtful)


def _of_table(
    context: MigrationContext, changes: ops.ModifyTableOps, wanted: dict[str, str], agrees: Callable[[Rename], bool]
) -> list[Rename]:
    table = ".".join(filter(None, (changes.schema, changes.table_name)))
    adds = {one.column.name: one for one in changes.ops if isinstance(one, ops.AddColumnOp)}
    drops = [one for one in changes.ops if isinstance(one, ops.DropColumnOp)]
    doubtful: list[Rename] = []
    for drop in sorted(drops, key=lambda one: (f"{table}.{one.column_name}" not in wanted, one.column_name)):
        full = f"{table}.{drop.column_name}"
        for name, add in [*adds.items()]:
            pair = Rename(table=table, old=drop.column_name, new=name)
            is_wanted = wanted.get(full) == name
            if is_wanted or (full not in wanted and _is_same_type(context, drop, add)):
                if is_wanted or agrees(pair):
                    _replace(context, changes, drop, adds.pop(name))
                    wanted.pop(full, None)
                    break
                doubtful.append(pair)
    renamed = {one.column_name for one in changes.ops if isinstance(one, _RenameColumn)}
    return [pair for pair in doubtful if pair.old not in renamed and pair.new in adds]


def _is_same_type(context: MigrationContext, drop: ops.DropColumnOp, add: ops.AddColumnOp) -> bool:
    old = drop.to_column()
    # Of a type that SQLAlchemy does not know nothing can be said.
    return not isinstance(old.type, NullType) and not _differ(context, old, add.column)


def _differ(context: MigrationContext, old: Column[Any], new: Column[Any]) -> bool:
    return context.impl.compare_type(old, new)  # pyright: ignore[reportUnknownMemberType] # SQLAlchemy's own types


def _replace(
    context: MigrationContext, changes: ops.ModifyTableOps, drop: ops.DropColumnOp, add: ops.AddColumnOp
) -> None:
    old, new = drop.to_column(), add.column
    rename = _RenameColumn(
        changes.table_name,
        drop.column_name,
        schema=changes.schema,
        existing_type=old.type,
        existing_nullable=old.nullable,
        existing_server_default=old.server_default or False,
        modify_type=new.type if _differ(context, old, new) else None,
        modify_nullable=None if old.nullable == new.nullable else new.nullable,
        # Of two that say different things Alembic tells, once the names are the same.
        modify_server_default=False if bool(old.server_default) == bool(new.server_default) else new.server_default,
        modify_name=new.name,
    )
    first = [one for one in changes.ops if isinstance(one, _FIRST)]
    rest = [one for one in changes.ops if one not in (drop, add, *first)]
    changes.ops[:] = [*first, rename, *rest]
