"""Comparing a column's default by the server's wording of it, in place of Alembic's way, which evaluates both.

Evaluated, a volatile default is never equal to itself, `nextval` takes a value, and one of another type is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import DefaultClause

if TYPE_CHECKING:
    from typing import Any

    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import AlterColumnOp
    from alembic.util import PriorityDispatchResult
    from sqlalchemy import Column

__all__ = ["compare_defaults"]

_TABLE: Final = "pgauthkit_compared_default"
_WORDING: Final = text("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = CAST(:name AS regclass)")


def compare_defaults(
    context: AutogenContext,
    operation: AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    found: Column[Any],
    wanted: Column[Any],
) -> PriorityDispatchResult:
    """Write down a default that differs from the model's. A comparator of Alembic, for plain defaults only.

    Example:
        >>> plugin.add_autogenerate_comparator(compare_defaults, "column", "server_default")  # doctest: +SKIP
    """
    from alembic.util import PriorityDispatchResult  # noqa: PLC0415 - this is loaded while Alembic is being imported

    plain = all(isinstance(column.server_default, DefaultClause | None) for column in (found, wanted))
    is_serial = wanted.primary_key and wanted is wanted.table.autoincrement_column
    if not plain or is_serial or found.server_default is wanted.server_default:  # Both None: there is nothing to do.
        return PriorityDispatchResult.CONTINUE
    assert context.connection is not None  # noqa: S101 - autogenerate has one always
    operation.existing_server_default = found.server_default
    if not _is_same(context.connection, found, wanted):
        operation.modify_server_default = wanted.server_default
    return PriorityDispatchResult.STOP


def _is_same(connection: Connection, found: Column[Any], wanted: Column[Any]) -> bool:
    if found.server_default is None:
        return False
    if wanted.server_default is None:  # SQLAlchemy takes the default of a domain for one of the column.
        kind = found.type
        return isinstance(kind, DOMAIN) and kind.default == found.server_default.arg.text  # type: ignore[attr-defined]  # as below
    try:
        return bool(_wording(connection, wanted) == found.server_default.arg.text)  # type: ignore[attr-defined]  # read from the database: a text
    except DBAPIError:  # Such as a label that the enum type does not have yet: that is no default that it can have now.
        return False


def _wording(connection: Connection, column: Column[Any]) -> str | None:
    """Return the model's default as the server writes it: of a table of the moment, which is rolled back."""
    dialect = connection.dialect
    default = dialect.ddl_compiler(dialect, None).get_column_default_string(column)  # type: ignore[arg-type]  # of no statement
    kind = dialect.type_compiler_instance.process(column.type)
    made = connection.begin_nested()
    try:
        # The compiler has doubled each %, for psycopg to make one of it.
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_TABLE} (value {kind} DEFAULT {default})", ())
        wording: str | None = connection.scalar(_WORDING, {"name": f"pg_temp.{_TABLE}"})
        return wording
    finally:
        made.rollback()
