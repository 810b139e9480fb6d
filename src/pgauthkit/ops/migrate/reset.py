"""Starting a database of development over: every table of ours and of the application's dropped, and made again."""

from datetime import timedelta
from typing import Final

import attrs
from sqlalchemy import Connection, text

from pgauthkit.errors import MigrationError
from pgauthkit.models import SCHEMA
from pgauthkit.ops.migrate.deployment import Deployment, deploy
from pgauthkit.ops.revisions.environment import read_environment
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.seed.run import Seeding, seed as run_seed
from pgauthkit.ops.server.connection import Target, begin_migrating, engine_for
from pgauthkit.ops.server.contents import statements_to_empty_schemas
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import migration_lock
from pgauthkit.ops.server.presence import count_others, database_name, name_of

__all__ = ["Reset", "database_name", "reset"]

_FOREIGN_KEYS: Final = text(
    "SELECT pg_catalog.format('%s (%s)', conrelid::regclass, conname) FROM pg_catalog.pg_constraint"
    " JOIN pg_catalog.pg_class AS theirs ON theirs.oid = conrelid"
    " JOIN pg_catalog.pg_class AS ours ON ours.oid = confrelid"
    " WHERE contype = 'f' AND ours.relnamespace = to_regnamespace(:ours) AND theirs.relnamespace <> ours.relnamespace"
    " AND NOT theirs.relnamespace::regnamespace::text = ANY(:going) ORDER BY 1"
)


@attrs.frozen(kw_only=True)
class Reset:
    """What a reset did.

    Attributes:
        schemas: whose contents were dropped.
        deployment: what was made again.
        seeding: the seed that filled it; None where there was none.

    Example:
        >>> done = reset("postgresql://localhost/blog", name="blog", host=track)  # doctest: +SKIP
        >>> done.deployment.applied, done.seeding  # doctest: +SKIP
        (('0001', '0002', '0003', '0004', '0005'), None)
    """

    schemas: tuple[str, ...]
    deployment: Deployment
    seeding: Seeding | None = None


def reset(
    target: Target,
    *,
    name: str,
    host: Track | None = None,
    seed: str | None = None,
    production: bool = False,
    force: bool = False,
    lock_timeout: timedelta = timedelta(seconds=60),
) -> Reset:
    """Drop our schema and all that is in the application's schemas, in one transaction, deploy again, and seed.

    Without an application's track, its schemas are left alone.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        name: the database's name, as the person has typed it.
        host: the application's own revisions.
        seed: the application's seed, as `module:function`; None for none.
        production: whether this is production, where it is refused.
        force: whether to go on in production, while others are connected, and where foreign keys of tables that stay
            point at ours.
        lock_timeout: how long to wait for a deployer.

    Raises:
        MigrationError: the name is another; or one of the reasons that `force` overrides. Nothing was changed.
        MigrationLockedError: a deployer was not done in time.
        DatabaseUnavailableError: the database cannot be reached.
        SeedError: the seed failed; the database is deployed, and empty.

    Example:
        >>> reset("postgresql://localhost/blog", name="blog", host=track).schemas  # doctest: +SKIP
        ('pgauthkit', 'public')
    """
    engine = engine_for(target)
    with explained("The reset", engine.url), migration_lock(engine, timeout=lock_timeout) as connection:
        going = (SCHEMA, *(_schemas(connection, host) if host else ()))
        _refuse(connection, name, going, production=production, force=force)
        begin_migrating(connection, lock_timeout=timedelta(seconds=5))
        # Without parameters, or a % in a name would be taken for the place of one.
        for statement in statements_to_empty_schemas(connection, [name for name in going if name != SCHEMA]):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.commit()
    done = deploy(engine, host=host, lock_timeout=lock_timeout)
    return Reset(schemas=going, deployment=done, seeding=run_seed(engine, seed, host=host) if seed else None)


def _schemas(connection: Connection, host: Track) -> tuple[str, ...]:
    environment = read_environment(host, connection)
    usual = str(connection.scalar(text("SELECT pg_catalog.current_schema()")) or "public")
    named = {table.schema or usual for metadata in environment.metadata for table in metadata.tables.values()}
    return tuple(sorted((named | {environment.version_schema or usual}) - {SCHEMA}))


def _refuse(connection: Connection, name: str, going: tuple[str, ...], *, production: bool, force: bool) -> None:
    actual = name_of(connection)
    if name != actual:
        raise MigrationError(f'The database is "{actual}", not "{name}". Nothing was changed.')
    if force:
        return
    if production:
        raise MigrationError("PGAUTHKIT_ENV says that this is production, where nothing is reset. Nothing was changed.")
    if others := count_others(connection):
        raise MigrationError(f"Other sessions are connected to the database: {others}. Nothing was changed.")
    if keys := list(connection.scalars(_FOREIGN_KEYS, {"ours": SCHEMA, "going": list(going)})):
        raise MigrationError(f"Tables that stay refer to ours: {', '.join(keys)}. Nothing was changed.")
