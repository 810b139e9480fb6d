"""Checks of the way to the server: a pooler, and whether there are connections enough."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from pgauthkit.database.url import read_url
from pgauthkit.errors import MigrationError
from pgauthkit.ops.doctor.finding import Finding, SetUp
from pgauthkit.ops.server.pooler import is_pooled, refuse_transaction_mode

__all__ = ["check_balancer", "check_direct", "check_pool", "check_pooler", "judge_pool"]

POOL_SIZE: Final = 5  # SQLAlchemy's QueuePool
MAX_OVERFLOW: Final = 10
BUSY: Final = 0.8  # of the connections: from here on it is worth a warning
# reserved_connections is new in PostgreSQL 16.
_LIMIT: Final = text("""
SELECT least(
  (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END)
   FROM pg_catalog.pg_settings
   WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')),
  (SELECT nullif(rolconnlimit, -1) FROM pg_catalog.pg_roles WHERE rolname = current_user),
  (SELECT nullif(datconnlimit, -1) FROM pg_catalog.pg_database WHERE datname = current_database()))
""")


def check_pooler(connection: Connection, set_up: SetUp) -> Iterator[Finding]:
    """Tell whether a pooler answers, and whether the engine prepares statements behind it."""
    pooled, told = is_pooled(connection), bool(read_url(set_up.url)[1].pgbouncer)
    if pooled and not told:
        yield Finding(
            check="pooler",
            level="wrong",
            message="A pooler answers, and statements would be prepared behind it, where they get lost.",
            advice="Say ?pgbouncer=true in the URL, or create_engine(…, pgbouncer=True).",
        )
    elif told and not pooled:
        yield Finding(
            check="pooler",
            level="warning",
            message="The URL says pgbouncer=true, and the server itself answers.",
            advice="Leave it out: statements that are prepared are quicker.",
        )
    else:
        message = "A pooler answers, and nothing is prepared behind it." if pooled else "The server itself answers."
        yield Finding(check="pooler", level="ok", message=message)


def check_balancer(connection: Connection) -> Iterator[Finding]:
    """Tell whether Pgpool-II answers, and whether it sends reads to standbys. Says nothing where it is not there."""
    try:
        balances = connection.scalar(text("PGPOOL SHOW load_balance_mode")) == "on"
    except ProgrammingError:  # to the server itself it is a syntax error
        return
    if not balances:
        yield Finding(check="pooler", level="ok", message="Pgpool-II answers, and asks the primary.")
        return
    yield Finding(
        check="pooler",
        level="warning",
        message="Pgpool-II answers, and sends reads to standbys, which may not have yet what was written.",
        advice="The service asks the primary all the same; begin reads of your own that may not be old with "
        "/*NO LOAD BALANCE*/, or set load_balance_mode = off.",
    )


def check_direct(connection: Connection) -> Iterator[Finding]:
    """Tell whether the direct URL leads past a pooler in transaction mode."""
    try:
        refuse_transaction_mode(connection)
    except MigrationError as error:
        advice = "Set DIRECT_URL to the address of the PostgreSQL server itself."
        yield Finding(check="pooler", level="wrong", message=str(error).partition(". ")[0] + ".", advice=advice)
    else:
        yield Finding(check="pooler", level="ok", message="Migrations get a server session of their own.")


def check_pool(connection: Connection, set_up: SetUp) -> Iterator[Finding]:
    """Compare what the processes may open with what the server, the role and the database allow."""
    if is_pooled(connection):
        message = "How many connections the server gets is the pooler's business (default_pool_size)."
        yield Finding(check="pool", level="ok", message=message)
        return
    limit, wanted = int(connection.scalar(_LIMIT)), _wanted(set_up)
    yield judge_pool(wanted, limit)


def judge_pool(wanted: int, limit: int) -> Finding:
    """Say what is to be said of so many connections where so many are to be had."""
    message = f"The application may open {wanted} connections, and {limit} are to be had."
    advice = "Lower pool_size and max_overflow, raise max_connections, or put PgBouncer before the server."
    if wanted > limit:
        return Finding(check="pool", level="wrong", message=message, advice=advice)
    if wanted > BUSY * limit:
        return Finding(check="pool", level="warning", message=message, advice=advice)
    return Finding(check="pool", level="ok", message=message)


def _wanted(set_up: SetUp) -> int:
    said = read_url(set_up.url)[1]
    size = POOL_SIZE if said.pool_size is None else said.pool_size
    overflow = MAX_OVERFLOW if said.max_overflow is None else said.max_overflow
    return set_up.processes * (size + overflow if set_up.pool_size is None else set_up.pool_size)
