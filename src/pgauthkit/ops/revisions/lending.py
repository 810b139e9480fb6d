"""Lending our connection to an env.py that connects to a database of its own choice, such as that of its settings."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from alembic.runtime.environment import EnvironmentContext
from sqlalchemy import Connection, Row, inspect, text
from sqlalchemy.schema import CreateSchema

from pgauthkit.errors import MigrationError

__all__ = ["lend"]

_WHERE: Final = text("SELECT pg_catalog.current_database(), pg_catalog.pg_postmaster_start_time()")
# What the env.py, or the URL of its settings, has said; not what the role or the database has.
_PATH: Final = text(
    "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'search_path' AND source IN ('client', 'session')"
)
_SET_PATH: Final = text("SELECT pg_catalog.set_config('search_path', :path, false)")


def lend(environment: EnvironmentContext, connection: Connection | None, *, on_configure: Callable[[], None]) -> None:
    """Let Alembic work on our connection where an env.py hands it none, or one to another database.

    A connection to the same database is used as it is, with all that the env.py has said on it. Of another only the
    search path is taken over, and the schema of the version table is made where it is missing.

    Args:
        environment: what the env.py will find as `alembic.context`.
        connection: ours, to the database that is meant; None where SQL is written.
        on_configure: called when the env.py has done what it does first, such as its logging.

    Example:
        >>> lend(EnvironmentContext(config, script), connection, on_configure=put_back)  # doctest: +SKIP
    """
    configure, ours, places = environment.configure, connection, set[Row[Any]]()

    # The argument has the name that Alembic gives it.
    def configure_ours(connection: Connection | None = None, *more: Any, **options: Any) -> None:  # noqa: ANN401 - Alembic's
        lent = ours
        if ours is not None and connection is not None and connection is not ours:
            places.add(_place(connection))
            if len(places) > 1:
                raise MigrationError("The env.py connects to more than one database; pgauthkit migrates one.")
            if _place(ours) in places:
                lent = connection
            else:
                writes = not environment.context_opts.get("dont_mutate")
                _follow(ours, connection, options.get("version_table_schema") if writes else None)
        on_configure()
        configure(lent, *more, **options)

    # On the object: what an env.py imports as alembic.context asks the object for it, and knows no subclass.
    environment.configure = configure_ours  # type: ignore[method-assign]  # see above


def _place(connection: Connection) -> Row[Any]:
    with _at_rest(connection):
        return connection.execute(_WHERE).one()


@contextmanager
def _at_rest(connection: Connection) -> Generator[None]:
    """Leave no transaction open where none was: Alembic would commit nothing in it."""
    was_begun = connection.in_transaction()
    yield
    if not was_begun:
        connection.commit()


def _follow(connection: Connection, theirs: Connection, version_schema: str | None) -> None:
    with _at_rest(theirs), _at_rest(connection):
        if path := theirs.scalar(_PATH):
            connection.execute(_SET_PATH, {"path": path})
        if version_schema and not inspect(connection).has_schema(version_schema):
            connection.execute(CreateSchema(version_schema, if_not_exists=True))
