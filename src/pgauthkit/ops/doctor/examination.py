"""The examination: is the server there, and if so, every other check."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, NullPool

from pgauthkit.database.engine import create_engine
from pgauthkit.database.unavailable import translated
from pgauthkit.database.url import read_url
from pgauthkit.errors import DatabaseUnavailableError, PgAuthKitError
from pgauthkit.ops.doctor.analyze import check_analyze
from pgauthkit.ops.doctor.backups import check_backups
from pgauthkit.ops.doctor.columns import check_columns
from pgauthkit.ops.doctor.connections import check_balancer, check_direct, check_pool, check_pooler
from pgauthkit.ops.doctor.finding import Check, Finding, Report, SetUp
from pgauthkit.ops.doctor.replica import check_replica
from pgauthkit.ops.doctor.rights import check_rights
from pgauthkit.ops.doctor.schema import check_drift, check_revisions
from pgauthkit.ops.doctor.server import check_clock, check_encoding, check_standby, check_version
from pgauthkit.ops.doctor.tables import check_addresses, check_bloat, check_purge
from pgauthkit.ops.doctor.zone import check_zone

__all__ = ["examine"]


def examine(set_up: SetUp) -> Report:
    """Look at a set-up: what is wrong with it, and what to do. Changes nothing.

    Drift is looked for in a second database, which is made and dropped where the role may do so.

    Args:
        set_up: what to look at, and how strictly.

    Raises:
        ConfigError: a URL is not one of PostgreSQL.

    Example:
        >>> report = examine(SetUp(url="postgresql://app@db.example/app"))  # doctest: +SKIP
        >>> [finding.advice for finding in report.findings if finding.level == "wrong"]  # doctest: +SKIP
        ['Run pgauthkit migrate deploy.']
    """
    return Report(findings=tuple(_findings(set_up)))


def _findings(set_up: SetUp) -> Iterator[Finding]:
    lost = yield from _reach(set_up.url)
    if set_up.direct_url:
        lost = (yield from _reach(set_up.direct_url)) or lost
    if not lost:
        yield from _of_the_application(set_up)
        yield from _of_the_replica(set_up)
        yield from _of_the_server(set_up)
    yield from check_backups(set_up)


def _reach(url: str) -> Generator[Finding, None, bool]:
    plain = _shown(read_url(url)[0])
    try:
        with _connected(url):
            yield Finding(check="server", level="ok", message=f"PostgreSQL answers at {plain}.")
    except DatabaseUnavailableError as error:
        yield Finding(check="server", level="wrong", message=f"Cannot reach {plain}.", advice=" Or: ".join(error.hints))
        return True
    return False


def _of_the_application(set_up: SetUp) -> Iterator[Finding]:
    with _connected(set_up.url) as connection:
        yield from check_version(connection)
        yield from check_encoding(connection)
        yield from check_standby(connection)
        yield from check_pooler(connection, set_up)
        yield from check_balancer(connection)
        yield from check_pool(connection, set_up)
        yield from check_clock(connection)
        yield from _tried("zone", check_zone(connection))
        yield from check_rights(connection)


def _of_the_replica(set_up: SetUp) -> Iterator[Finding]:
    if set_up.replica_url and not (yield from _reach(set_up.replica_url)):
        with _connected(set_up.url) as primary, _connected(set_up.replica_url) as replica:
            yield from _tried("replica", check_replica(primary, replica, set_up.max_staleness))


def _of_the_server(set_up: SetUp) -> Iterator[Finding]:
    if set_up.direct_url:
        with _connected(set_up.direct_url) as connection:
            yield from check_direct(connection)
    migrated = yield from check_revisions(set_up)
    if not migrated:
        return
    yield from check_drift(set_up)
    with _connected(set_up.direct) as connection:
        yield from _tried("bloat", check_bloat(connection, set_up))
        yield from _tried("analyze", check_analyze(connection))
        yield from _tried("purge", check_purge(connection, set_up))
        yield from _tried("addresses", check_addresses(connection))
        yield from _tried("columns", check_columns(connection))


def _tried(check: Check, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Tell of a check that could not be made, and go on with the next."""
    try:
        with translated():
            yield from findings
    except PgAuthKitError as error:
        yield Finding(check=check, level="warning", message=f"Could not be looked at: {error}")


@contextmanager
def _connected(url: str) -> Generator[Connection]:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with translated(engine.url), engine.connect() as connection:
        yield connection


def _shown(url: URL) -> str:
    hidden = url.difference_update_query(["password", "sslpassword", "passfile"]).set(drivername="postgresql")
    return hidden.render_as_string(hide_password=True)
