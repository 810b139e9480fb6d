"""What of a database is compared with the models: their schemas too, where the env.py looks at the usual one alone."""

from collections.abc import Collection
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData

from pgauthkit.models import SCHEMA

__all__ = ["target_metadata", "widen"]


def target_metadata(context: MigrationContext) -> tuple[MetaData, ...]:
    """Return the metadata that an env.py compares with the database.

    Example:
        >>> target_metadata(context)  # doctest: +SKIP
        (MetaData(),)
    """
    given = context.opts.get("target_metadata")
    return (given,) if isinstance(given, MetaData) else tuple(given or ())


def widen(context: MigrationContext, written: Collection[str]) -> None:
    """Let autogenerate look at the schemas of the models, which it would otherwise make again each time.

    Of the tables there it sees those of the models, and those that a revision names: anything else in such a schema is
    somebody else's. An env.py with `include_schemas` is left as it is.

    Args:
        context: of the env.py.
        written: every word in the application's revisions.

    Example:
        >>> widen(context, {"shop", "orders"})  # doctest: +SKIP
    """
    if context.opts.get("include_schemas"):
        return
    theirs = context.opts.get("include_name")
    every = (table for metadata in target_metadata(context) for table in metadata.tables.values())
    tables = {(table.schema, table.name) for table in every if table.schema != SCHEMA}
    schemas = {schema for schema, _ in tables}

    def include_name(name: str | None, kind: str, parents: dict[str, Any]) -> bool:
        schema = parents.get("schema_name")
        if kind == "schema" and name is not None:
            return name in schemas or (name in written and name != SCHEMA)
        if kind == "table" and schema is not None and (schema, name) not in tables:
            return schema in written and name in written
        return bool(theirs is None or theirs(name, kind, parents))

    context.opts.update(include_schemas=True, include_name=include_name)
