"""A plugin of Alembic, found by its entry point: autogenerate leaves our tables alone, and evaluates no default."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps
    from alembic.runtime.plugins import Plugin
    from alembic.util import PriorityDispatchResult

__all__ = ["setup"]

# Not imported from the models: this module is loaded wherever Alembic is.
_SCHEMA = "pgauthkit"


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
    from alembic.operations.ops import DropTableOp  # noqa: PLC0415 - the same
    from alembic.util import PriorityDispatchResult  # noqa: PLC0415 - the same

    theirs = context.migration_context
    # Alembic itself drops its version table where version_table_schema names the schema that is the usual one.
    operations.ops[:] = [
        found
        for found in operations.ops
        if not (isinstance(found, DropTableOp) and (found.table_name, found.schema) == (theirs.version_table, None))
    ]
    # Only our own environment keeps its version table in our schema, and that one is to see everything.
    if theirs.version_table_schema != _SCHEMA:
        operations.ops[:] = [found for found in operations.ops if getattr(found, "schema", None) != _SCHEMA]
    return PriorityDispatchResult.CONTINUE
