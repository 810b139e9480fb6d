"""The schemas that a revision's tables and types are in: made before them, where nothing is in there yet."""

from collections.abc import Sequence

from alembic.operations import ops
from alembic.operations.ops import MigrateOperation
from sqlalchemy import Connection, text
from sqlalchemy.schema import SchemaItem

__all__ = ["schemas_for"]

_STATE = text(
    "SELECT nspname, EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = pg_namespace.oid) AS filled"
    " FROM pg_catalog.pg_namespace WHERE nspname = ANY(:names)"
)


def schemas_for(
    connection: Connection, operations: Sequence[MigrateOperation], version_schema: str | None
) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
    """Return what makes the schemas that operations need, and what drops them again.

    One that exists, and is empty, was made by hand: another database lacks it. It is not dropped.

    Args:
        connection: to the database that the revision is written for.
        operations: of the revision.
        version_schema: the schema of Alembic's version table, which is not dropped either.

    Example:
        >>> schemas_for(connection, operations, None)  # doctest: +SKIP
        ([<ExecuteSQLOp>], [<ExecuteSQLOp>])
    """
    needed = sorted({name for operation in operations for name in _schemas(operation) if name})
    is_filled: dict[str, bool] = {row.nspname: row.filled for row in connection.execute(_STATE, {"names": needed})}
    quote = connection.dialect.identifier_preparer.quote_identifier
    made = [name for name in needed if not is_filled.get(name)]
    gone = [name for name in reversed(made) if name not in is_filled and name != version_schema]
    up = [ops.ExecuteSQLOp(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}") for name in made]
    return [*up], [ops.ExecuteSQLOp(f"DROP SCHEMA {quote(name)}") for name in gone]


def _schemas(operation: MigrateOperation) -> list[str | None]:
    match operation:
        case ops.CreateTableOp():
            return [operation.schema, *map(_of_type, operation.columns)]
        case ops.ModifyTableOps():
            return [name for one in operation.ops for name in _schemas(one)]
        case ops.AddColumnOp():
            return [_of_type(operation.column)]
        case ops.ExecuteSQLOp():
            return [getattr(operation, "schema", None)]
        case _:
            return []


def _of_type(item: SchemaItem) -> str | None:
    kind = getattr(item, "type", None)  # None for a constraint.
    return getattr(getattr(kind, "item_type", kind), "schema", None)
