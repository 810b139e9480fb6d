"""The order of operations, so that the server takes them, and names for what would be dropped by name."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import attrs
from alembic.operations import ops
from alembic.operations.ops import MigrateOperation
from sqlalchemy import ForeignKeyConstraint

__all__ = ["ordered"]

_Name: TypeAlias = tuple[str | None, str]

_LONGEST_NAME: Final = 63  # bytes; https://www.postgresql.org/docs/16/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS


@attrs.define
class _Group:
    """What makes or drops one table: it, and its indexes."""

    name: _Name
    operations: list[MigrateOperation]
    keys: Sequence[ForeignKeyConstraint]
    parents: frozenset[str] = frozenset()

    def inherits(self, others: Mapping[_Name, object]) -> bool:
        """Say whether a table that is among others has to be there first."""
        return any(name in self.parents for _, name in others)

    def leads_to(self, others: Mapping[_Name, object]) -> list[ForeignKeyConstraint]:
        return [key for key in self.keys if _target(key) in others and _target(key) != self.name]


def ordered(operations: Sequence[MigrateOperation]) -> list[MigrateOperation]:
    """Return operations in an order that the server takes, with the keys that are left out of it written apart.

    A foreign key with `use_alter`, and one of each cycle, is made when all tables are there; it is dropped before its
    table is. Tables are dropped when no key of a table that stays leads to them any more.

    Example:
        >>> ordered([])
        []
    """
    made, dropped, others = _split(operations)
    creates, late = _sorted(made, alter=True)
    drops, early = _sorted(dropped)
    for group in (*creates, *drops):
        _without(group, [*late, *early])
    first = [step for group in creates for step in group.operations]
    keys = [ops.CreateForeignKeyOp.from_constraint(key) for key in late]
    lost = [ops.DropConstraintOp.from_constraint(key) for key in early]
    last = [step for group in reversed(drops) for step in group.operations]
    found: list[MigrateOperation] = [*first, *keys, *others, *lost, *last]
    for operation in found:
        for one in operation.ops if isinstance(operation, ops.ModifyTableOps) else [operation]:
            _name_constraint(one)
    return found


def _split(operations: Sequence[MigrateOperation]) -> tuple[list[_Group], list[_Group], list[MigrateOperation]]:
    made: dict[_Name, _Group] = {}
    dropped: dict[_Name, _Group] = {}
    others: list[MigrateOperation] = []
    dropping = {_name(one) for one in operations if isinstance(one, ops.DropTableOp)}
    for operation in operations:
        name = _name(operation)
        if isinstance(operation, ops.CreateTableOp):
            made[name] = _Group(name, [operation], _keys(operation), _parents(operation))
        elif name in made:
            made[name].operations.append(operation)
        elif name in dropping:
            group = dropped.setdefault(name, _Group(name, [], ()))
            group.operations.append(operation)
            if isinstance(operation, ops.DropTableOp):
                group.keys = _keys(operation)
        else:
            others.append(operation)
    return [*made.values()], [*dropped.values()], others


def _sorted(groups: list[_Group], *, alter: bool = False) -> tuple[list[_Group], list[ForeignKeyConstraint]]:
    waiting = {group.name: group for group in groups}
    apart = dict.fromkeys(key for group in groups for key in group.keys if alter and key.use_alter)
    done: list[_Group] = []
    while waiting:
        free = [one for one in waiting.values() if not one.inherits(waiting)]
        group = next((one for one in free if all(key in apart for key in one.leads_to(waiting))), None)
        if group is None:  # A cycle, which this key breaks.
            group = free[0]
            apart |= dict.fromkeys(group.leads_to(waiting))
        done.append(waiting.pop(group.name))
    return done, [*apart]


def _without(group: _Group, keys: Sequence[ForeignKeyConstraint]) -> None:
    left_out = {*map(id, keys)}  # A column that is compared makes an expression of SQL.
    for create in filter(None, map(_create, group.operations)):
        create.columns = [item for item in create.columns if id(item) not in left_out]


def _create(operation: MigrateOperation) -> ops.CreateTableOp | None:
    """Return what makes a table, or made the one that is dropped: there Alembic keeps what makes it again."""
    if isinstance(operation, ops.DropTableOp):
        return operation._reverse  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return operation if isinstance(operation, ops.CreateTableOp) else None


def _name_constraint(operation: MigrateOperation) -> None:
    """Name a constraint as the server does, or there would be no way to drop it."""
    if isinstance(operation, ops.CreateForeignKeyOp):
        operation.kw.pop("use_alter", None)
        name = _server_name(operation.source_table, operation.local_cols, "fkey")
        operation.constraint_name = operation.constraint_name or name
    elif isinstance(operation, ops.CreateUniqueConstraintOp):
        name = _server_name(operation.table_name, operation.columns, "key")
        operation.constraint_name = operation.constraint_name or name


def _server_name(table: str, columns: Sequence[str], kind: str) -> str:
    # ChooseConstraintName of the server: src/backend/catalog/pg_constraint.c
    names = [table, "_".join(columns)]
    while len("_".join([*names, kind]).encode()) > _LONGEST_NAME:
        longer = int(len(names[1].encode()) >= len(names[0].encode()))
        names[longer] = names[longer][:-1]
    return "_".join([*names, kind])


def _keys(operation: MigrateOperation) -> list[ForeignKeyConstraint]:
    create = _create(operation)
    return [item for item in create.columns if isinstance(item, ForeignKeyConstraint)] if create else []


def _parents(operation: ops.CreateTableOp) -> frozenset[str]:
    found = operation.kw.get("postgresql_inherits") or ()
    return frozenset([found] if isinstance(found, str) else found)


def _target(key: ForeignKeyConstraint) -> _Name:
    # Not its table: a key of a table that is dropped has been read from the database without what it leads to.
    *schema, table, _ = key.elements[0].target_fullname.split(".")
    return (".".join(schema) or None, table)


def _name(operation: MigrateOperation) -> _Name:
    return (getattr(operation, "schema", None), str(getattr(operation, "table_name", "")))
