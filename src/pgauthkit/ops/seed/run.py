"""The run itself: refused while revisions are pending, kept only if all of it succeeds."""

import sys
import time
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import attrs
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pgauthkit.database.unavailable import translate
from pgauthkit.errors import PendingMigrationsError, PgAuthKitError, SeedError
from pgauthkit.ops.revisions.diagnosis import status
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.seed.function import SeedFunction
from pgauthkit.ops.server.connection import Target, engine_for
from pgauthkit.ops.server.failure import is_about_the_connection, server_message, sqlstate

__all__ = ["Seeding", "seed"]


@attrs.frozen(kw_only=True)
class Seeding:
    """What was run.

    Attributes:
        function: such as `blog.seed:main`.
        arguments: what it was given.
        duration: how long it took.

    Example:
        >>> seed("postgresql://localhost/blog", "blog.seed:main", ["10"]).arguments  # doctest: +SKIP
        ('10',)
    """

    function: str
    arguments: tuple[str, ...]
    duration: timedelta


def seed(target: Target, function: str, arguments: Sequence[str] = (), *, host: Track | None = None) -> Seeding:
    """Run the application's seed in one transaction, which is committed when the function returns.

    The function gets a session, and each argument as text. `async def` gets an `AsyncSession`, in an event loop of its
    own; any other function a `Session`, unless its first parameter is annotated as `AsyncSession`. What it commits is
    kept only if all of it succeeds. It should be fit to run again: see `pgauthkit.seeding.ensure_user`. From async
    code: `await asyncio.to_thread(seed, engine, "blog.seed:main")`.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`; for an async function its URL is used.
        function: where it is, as `module:function`.
        arguments: passed on to it, after the session.
        host: the application's own revisions.

    Raises:
        ConfigError: `function` is not of that form, cannot be imported, or does not take these arguments; or the URL is
            not one of PostgreSQL.
        PendingMigrationsError: a deployment has something to do first, on either track.
        DatabaseUnavailableError: the database cannot be reached, or was lost.
        SeedError: the function raised. Nothing of what it did was kept.

    Example:
        >>> seed("postgresql://localhost/blog", "blog.seed:main", ["10"]).function  # doctest: +SKIP
        'blog.seed:main'
    """
    started, engine = time.monotonic(), engine_for(target)
    found = SeedFunction.find(function, tuple(arguments))
    if pending := [name for track in status(engine, host=host).tracks for name in track.pending]:
        raise PendingMigrationsError(
            f"Revisions are pending: {', '.join(pending)}. The seed was not run. Run `pgauthkit migrate deploy` first."
        )
    try:
        found.run(engine)
    # What it raises is its own affair; sys.exit() in the middle would look like success.
    except (Exception, SystemExit) as error:
        raise _told(found, error, engine.url) from error
    return Seeding(function=function, arguments=found.arguments, duration=timedelta(seconds=time.monotonic() - started))


def _told(found: SeedFunction, error: BaseException, url: URL) -> PgAuthKitError:
    if isinstance(error, DBAPIError) and is_about_the_connection(sqlstate(error)):
        return translate(error, url)
    place = getattr(sys.modules.get(found.module), "__file__", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == place]
    where = f" ({Path(place).name}, line {lines[-1]})" if place and lines else ""
    return SeedError(f"The seed {found.name} failed{where}: {_why(error)}. Nothing of it was kept.")


def _why(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, DBAPIError):
        return f"{kind}: {server_message(error)} (SQLSTATE {sqlstate(error)})"
    # SQLAlchemy's own texts have statements in them.
    return kind if isinstance(error, SQLAlchemyError) else f"{kind}: {str(error).rstrip('.')}"
