"""What the operations that Alembic has found change already, by the names of the catalog."""

from collections.abc import Sequence

import attrs
from alembic.operations import ops
from alembic.operations.ops import MigrateOperation
from sqlalchemy.schema import SchemaItem

from pgauthkit.ops.migrate.catalog import Item

__all__ = ["Covered", "covered"]


@attrs.define
class Covered:
    """What is changed already.

    Attributes:
        tables: those that are made, with all that is in them.
        gone: those that are dropped.
        columns: those that are added, dropped or altered.
        retyped: of these, the ones whose type is settled.
        parts: indexes and constraints with their table, by name, or by the first word of what they say where the
            server names them.
        dropped: columns that are dropped or renamed, with the CHECKs on them.
        checked: columns that are added with a type that brings its CHECK.
        types: the names of types that come with a table.
    """

    tables: set[str] = attrs.field(factory=set[str])
    gone: set[str] = attrs.field(factory=set[str])
    columns: set[str] = attrs.field(factory=set[str])
    retyped: set[str] = attrs.field(factory=set[str])
    parts: set[tuple[str, str]] = attrs.field(factory=set[tuple[str, str]])
    dropped: set[str] = attrs.field(factory=set[str])
    checked: set[str] = attrs.field(factory=set[str])
    types: set[str | None] = attrs.field(factory=set[str | None])

    def has(self, item: Item, name: str, said: str) -> bool:
        """Say whether an index or a constraint of a table is changed already."""
        owner = str(item.owner)
        return bool({(owner, name), (owner, said.partition(" ")[0])} & self.parts)


def covered(operations: Sequence[MigrateOperation], home: str) -> Covered:
    """Return what some operations change.

    Example:
        >>> covered([ops.DropColumnOp("posts", "title")], "public").columns
        {'public.posts.title'}
    """
    found = Covered()
    for operation in operations:
        schema, table = getattr(operation, "schema", None) or home, getattr(operation, "table_name", None)
        _add(found, operation, f"{schema}.{table}")
    return found


def _add(found: Covered, operation: MigrateOperation, owner: str) -> None:
    match operation:
        case ops.CreateTableOp():
            found.tables.add(owner)
            found.types |= {_type(item) for item in operation.columns}
        case ops.DropTableOp():
            found.gone.add(owner)
        case ops.AddColumnOp():
            _add_column(found, f"{owner}.{operation.column.name}")
            if getattr(operation.column.type, "create_constraint", False):
                found.checked.add(f"{owner}.{operation.column.name}")
        case ops.DropColumnOp():
            _add_column(found, f"{owner}.{operation.column_name}")
            found.dropped.add(f"{owner}.{operation.column_name}")
        case ops.AlterColumnOp():
            found.columns.add(f"{owner}.{operation.column_name}")
            found.retyped |= {f"{owner}.{operation.column_name}"} if operation.modify_type is not None else set()
            found.dropped |= {f"{owner}.{operation.column_name}"} if operation.modify_name is not None else set()
        case _:
            _add_part(found, operation, owner)


def _add_part(found: Covered, operation: MigrateOperation, owner: str) -> None:
    if isinstance(operation, ops.CreateIndexOp | ops.DropIndexOp):
        found.parts.add((owner, str(operation.index_name)))
    elif isinstance(operation, ops.CreateForeignKeyOp):
        schema = operation.kw.get("source_schema") or owner.partition(".")[0]
        found.parts.add((f"{schema}.{operation.source_table}", str(operation.constraint_name or "FOREIGN")))
    else:  # A UNIQUE, a constraint that is dropped by name, or what has none, such as a comment.
        found.parts.add((owner, str(getattr(operation, "constraint_name", None) or "UNIQUE")))


def _add_column(found: Covered, name: str) -> None:
    found.columns.add(name)
    found.retyped.add(name)


def _type(item: SchemaItem) -> str | None:
    kind = getattr(item, "type", None)  # None for a constraint.
    return getattr(getattr(kind, "item_type", kind), "name", None)
