"""Alembic's environment: our tables only, in our schema, and a transaction for each revision."""

from collections.abc import Mapping
from typing import Any, Final

from alembic import context
from sqlalchemy import Connection, inspect
from sqlalchemy.schema import CreateSchema, Table

from pgauthkit.migrations import LEDGER_TABLE, VERSION_TABLE
from pgauthkit.models import SCHEMA, Base
from pgauthkit.models.owned import is_own


def include_name(name: str | None, kind: str, _parents: Mapping[Any, Any]) -> bool:
    """Tell Alembic to look at no other schema of the database than ours, and not at the ledger."""
    return name == SCHEMA if kind == "schema" else (kind, name) != ("table", LEDGER_TABLE)


def include_object(item: Any, name: str | None, _kind: str, _reflected: object, _other: object) -> bool:  # noqa: ANN401 - what belongs to a table, or one
    """Leave out the tables that an application has put on our `Base.metadata`, and its columns on ours."""
    return item.schema == SCHEMA if isinstance(item, Table) else is_own(item.table.name, name)


OPTIONS: Final[Mapping[str, Any]] = {
    "target_metadata": Base.metadata,
    "version_table": VERSION_TABLE,
    "version_table_schema": SCHEMA,
    "transaction_per_migration": True,
    "include_schemas": True,
    "include_name": include_name,
    "include_object": include_object,
    "compare_type": True,
    "compare_server_default": True,
}


def run_offline() -> None:
    """Print the SQL of the revisions, for reading or for running by hand."""
    context.configure(dialect_name="postgresql", literal_binds=True, dialect_opts={"paramstyle": "named"}, **OPTIONS)
    if context.get_starting_revision_argument() is None:
        context.execute(CreateSchema(SCHEMA, if_not_exists=True))
    with context.begin_transaction():
        context.run_migrations()


def run_online(connection: Connection) -> None:
    """Run the revisions on a connection, which must not be in a transaction: Alembic would then commit nothing."""
    context.configure(connection=connection, **OPTIONS)
    # After configure(), so that it belongs to the first revision's transaction. Asked for first, because even
    # IF NOT EXISTS wants the right to create schemas, which a deployer need not have where ours exists already.
    if not inspect(connection).has_schema(SCHEMA):
        context.execute(CreateSchema(SCHEMA, if_not_exists=True))
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online(context.config.attributes["connection"])
