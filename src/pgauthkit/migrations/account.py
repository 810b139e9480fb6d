"""What an application's own columns on our users ask for, whatever metadata and schemas its env.py compares."""

from typing import Any, Final

from alembic.autogenerate import produce_migrations
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import (
    AddColumnOp,
    AddConstraintOp,
    AlterColumnOp,
    CreateIndexOp,
    DropColumnOp,
    DropConstraintOp,
    DropIndexOp,
    ModifyTableOps,
)
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Table, inspect
from sqlalchemy.schema import SchemaItem

from pgauthkit.models import SCHEMA, Base, User
from pgauthkit.models.owned import is_own

__all__ = ["on_users"]

_KINDS: Final = (
    *(AddColumnOp, AlterColumnOp, DropColumnOp),
    *(AddConstraintOp, DropConstraintOp, CreateIndexOp, DropIndexOp),
)
_KEPT: Final = ("compare_type", "compare_server_default")


def on_users(context: AutogenContext) -> list[ModifyTableOps]:
    """Compare what is the application's on the table of users, in its models and in the database.

    Args:
        context: of the application's own autogenerate.

    Example:
        >>> [change.table_name for change in on_users(context)]  # doctest: +SKIP
        ['users']
    """
    connection = context.connection
    if connection is None or not inspect(connection).has_table(User.__tablename__, schema=SCHEMA):
        return []
    found = produce_migrations(_comparing(connection, context.migration_context.opts), Base.metadata)
    changes = found.upgrade_ops.ops if found.upgrade_ops else []
    kept = [change for change in changes if isinstance(change, ModifyTableOps)]
    for change in kept:
        change.ops[:] = [one for one in change.ops if isinstance(one, _KINDS)]
    return [change for change in kept if change.ops]


def _comparing(connection: Connection, theirs: dict[str, Any]) -> MigrationContext:
    options: dict[str, Any] = {
        **{name: theirs[name] for name in _KEPT if name in theirs},
        "target_metadata": Base.metadata,
        # By this the shield knows our own comparisons, which are to see our schema.
        "version_table_schema": SCHEMA,
        "include_schemas": True,
        "include_name": _is_looked_at,
        "include_object": _is_theirs,
    }
    return MigrationContext.configure(connection, opts=options)


def _is_looked_at(name: str | None, kind: str, _parents: object) -> bool:
    return {"schema": SCHEMA, "table": User.__tablename__}.get(kind, name) == name


def _is_theirs(item: SchemaItem, name: str | None, _kind: str, _reflected: object, _other: object) -> bool:
    if isinstance(item, Table):
        return item.schema == SCHEMA and item.name == User.__tablename__
    return not is_own(User.__tablename__, name)
