"""A plugin of Alembic, found by its entry point: it leaves alone what has no model, and evaluates no default."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrateOperation, UpgradeOps
    from alembic.runtime.plugins import Plugin
    from alembic.util import PriorityDispatchResult

__all__ = ["setup"]

# Not imported from the models: this module is loaded wherever Alembic is.
_SCHEMA = "pgauthkit"
# Partitions, whose table has the model, and what an extension or Prisma keeps for itself.
_WITHOUT_MODELS = """
    SELECT CASE WHEN nspname <> pg_catalog.current_schema() THEN nspname END, relname
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND (relispartition OR relname = '_prisma_migrations' OR EXISTS
        (SELECT FROM pg_catalog.pg_depend
            WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = pg_class.oid AND deptype = 'e'))
"""


def setup(plugin: Plugin) -> None:
    """Register the comparator. Alembic calls this while it is itself being imported, so nothing of it is there yet.

    Example:
        >>> setup(plugin)  # doctest: +SKIP
    """
    from alembic.util import DispatchPriority  # noqa: PLC0415 - not before Alembic is there

    from pgauthkit.migrations.defaults import compare_defaults  # noqa: PLC0415 - the same

    plugin.add_autogenerate_comparator(_leave_ours, "autogenerate", priority=DispatchPriority.LAST)
    plugin.add_autogenerate_comparator(compare_defaults, "column", "server_default")


def _leave_ours(context: AutogenContext, operations: UpgradeOps) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult  # noqa: PLC0415 - the same

    theirs = context.migration_context
    # Alembic itself drops its version table where version_table_schema names the schema that is the usual one.
    kept = {(None, theirs.version_table), *_without_models(context)}
    operations.ops[:] = [found for found in operations.ops if not _is_drop_of(found, kept)]
    # Only our own environment keeps its version table in our schema, and that one is to see everything.
    if theirs.version_table_schema != _SCHEMA:
        operations.ops[:] = [found for found in operations.ops if getattr(found, "schema", None) != _SCHEMA]
        _add_columns_on_users(context, operations)
    return PriorityDispatchResult.CONTINUE


def _without_models(context: AutogenContext) -> set[tuple[str | None, str]]:
    from sqlalchemy import text  # noqa: PLC0415 - the same

    connection = context.connection
    assert connection is not None  # noqa: S101 - Alembic compares with a database
    return {(schema, name) for schema, name in connection.execute(text(_WITHOUT_MODELS))}


def _is_drop_of(found: MigrateOperation, kept: set[tuple[str | None, str]]) -> bool:
    from alembic.operations.ops import DropIndexOp, DropTableOp  # noqa: PLC0415 - the same

    return isinstance(found, DropIndexOp | DropTableOp) and (found.schema, found.table_name) in kept


def _add_columns_on_users(context: AutogenContext, operations: UpgradeOps) -> None:
    from alembic.operations.ops import DropTableOp  # noqa: PLC0415 - the same

    from pgauthkit.migrations.account import on_users  # noqa: PLC0415 - the same

    # After the tables that a new foreign key leads to, and before those go that an old one led to.
    dropped = [number for number, found in enumerate(operations.ops) if isinstance(found, DropTableOp)]
    place = min(dropped, default=len(operations.ops))
    # Where our models are not even imported, nobody can have put a column on them.
    operations.ops[place:place] = on_users(context) if "pgauthkit.models" in sys.modules else []
