"""The tables of a database as they are: for models to be written from, for a diagram, and for the studio."""

import re
import warnings
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, MetaData, Table, text
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import registry, relationship

from pgauthkit.errors import ConfigError
from pgauthkit.migrations import VERSION_TABLE
from pgauthkit.models import SCHEMA, Base
from pgauthkit.ops.project.completion import complete
from pgauthkit.ops.server.failure import explained

__all__ = ["mapped_tables", "reflect"]

# Without partitions, which are their table's business, and what an extension has brought along.
_TABLES: Final = text(
    "SELECT nspname, CASE WHEN nspname <> pg_catalog.current_schema() THEN nspname END, relname"
    " FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE relkind IN ('r', 'p') AND NOT relispartition AND relname <> ALL(:ignored) AND nspname <> :ours"
    " AND nspname !~ '^pg_' AND nspname <> 'information_schema'"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend"
    " WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = pg_class.oid AND deptype = 'e')"
    " ORDER BY nspname, relname"
)
# What is completed: a CHECK that is not enforced, and one that is not valid, or not inherited.
_KNOWN: Final = re.compile(r"Could not parse CHECK|Can't validate argument 'dialect_options'")
# Of Alembic, advanced-alchemy, and Prisma.
_NOT_MODELS: Final = (VERSION_TABLE, "alembic_versions", "_prisma_migrations")


def reflect(
    engine: Engine, schemas: Sequence[str] = (), *, convention: bool = False
) -> tuple[MetaData, tuple[str, ...]]:
    """Read the tables of an application, and ours as far as they refer to these.

    Args:
        engine: the database.
        schemas: where they are; none for every schema that is no system's.
        convention: whether the constraints are going to be named by the convention of our `Base`.

    Raises:
        ConfigError: there is no table.
        DatabaseUnavailableError: the database cannot be reached.

    Returns:
        The tables, and what SQLAlchemy or a model does not know in them, in sentences.

    Example:
        >>> [*reflect(engine)[0].tables]  # doctest: +SKIP
        ['posts']
    """
    # A CHECK has its name already, which the convention would take for a part of one.
    names: dict[Any, Any] = {kind: name for kind, name in Base.metadata.naming_convention.items() if kind != "ck"}
    metadata = MetaData(naming_convention=names) if convention else MetaData()
    with explained("Reading the tables", engine.url), engine.connect() as connection, _noted() as notes:
        for schema, tables in _names(connection, schemas).items():
            metadata.reflect(connection, schema=schema, only=tables)
        unsaid = list(complete(connection, metadata))
    told = [str(note.message) for note in notes if not _KNOWN.match(str(note.message))]
    return metadata, tuple(dict.fromkeys([*told, *unsaid]))


def mapped_tables(metadata: MetaData) -> tuple[type[Any], ...]:
    """Map a class to each table with a primary key but ours, with a relation for each foreign key of one column.

    Example:
        >>> mapped_tables(MetaData())
        ()
    """
    theirs = registry(metadata=metadata)
    tables = [
        table for _, table in sorted(metadata.tables.items()) if table.schema != SCHEMA and table.primary_key.columns
    ]
    made: dict[Table, type[Any]] = {}
    for table in tables:
        made[table] = type(table.name, (), {"__module__": str(table.schema or "")})
    for table, model in made.items():
        theirs.map_imperatively(model, table, properties=_relations(table, made))
    return tuple(made.values())


def _noted() -> "warnings.catch_warnings[list[warnings.WarningMessage]]":
    return warnings.catch_warnings(record=True, action="always", category=SAWarning)


def _names(connection: Connection, schemas: Sequence[str]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for full, schema, name in connection.execute(_TABLES, {"ignored": list(_NOT_MODELS), "ours": SCHEMA}):
        if not schemas or full in schemas:
            found.setdefault(schema, []).append(name)
    if not found:
        where = f" in {', '.join(schemas)}" if schemas else ""
        raise ConfigError([f"database: there is no table{where} but those of pgauthkit."])
    return found


def _relations(table: Table, made: dict[Table, type[Any]]) -> dict[str, Any]:
    relations: dict[str, Any] = {}
    for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
        columns, target = list(key.columns), made.get(key.referred_table)
        if target is None or len(columns) > 1:
            continue
        name = columns[0].name.removesuffix("_id").removesuffix("Id")
        while name in table.columns or name in relations:
            name += "_"
        remote = next(iter(key.elements)).column
        relations[name] = relationship(
            target, primaryjoin=columns[0] == remote, foreign_keys=columns, remote_side=remote, viewonly=True
        )
    return relations
