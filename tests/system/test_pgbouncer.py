"""Behind a real PgBouncer in transaction mode, with two server connections that take turns."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url
from through_pgbouncer import PgBouncer  # type: ignore[import-not-found] # beside this file

from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.ops.doctor import SetUp, examine
from pgauthkit.testing import Replica

BACKEND = sa.text("SELECT pg_backend_pid()")
SHOW = sa.text("SHOW statement_timeout")
IS_STANDBY = "SELECT pg_is_in_recovery()"


@pytest.fixture
def bouncer(pgauthkit_url: str) -> Iterator[PgBouncer]:
    query = make_url(pgauthkit_url).query
    running = PgBouncer(str(query["host"]), str(query["port"]))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def url(pgauthkit_url: str, bouncer: PgBouncer) -> str:
    """The database, through PgBouncer, which has both its connections to the server open."""
    bouncer.spread(str(make_url(pgauthkit_url).database))
    through: sa.URL = bouncer.url(make_url(pgauthkit_url))
    return through.render_as_string(hide_password=False)


def sign_in(auth: AuthService, email: str) -> None:
    signed_in = auth.verify_magic_link(auth.request_magic_link(email).token.reveal())
    auth.authenticate(signed_in.tokens.access_token.reveal())
    auth.refresh(signed_in.tokens.refresh_token.reveal())


def test_one_client_gets_two_servers(url: str) -> None:
    """The transactions of one client are spread over both server connections, which is what all else here presumes."""
    engine = create_engine(url, pgbouncer=True, pool_size=1, max_overflow=0, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        assert len({connection.scalar(BACKEND) for _ in range(6)}) == 2
    engine.dispose()


def test_a_transaction_held_open_forces_the_other_one(url: str) -> None:
    """While somebody holds one server connection the service works on the other."""
    engine = create_engine(url, pgbouncer=True)
    auth = AuthService(engine)
    with engine.connect() as held:
        mine = held.scalar(BACKEND)
        for number in range(5):
            sign_in(auth, f"user{number}@example.com")
        assert held.scalar(BACKEND) == mine
    engine.dispose()


def test_the_doctor_knows_a_pooler_that_was_not_named(url: str, pgauthkit_url: str) -> None:
    """An engine that prepares statements works behind this PgBouncer by luck alone: the doctor says what to do."""
    report = examine(SetUp(url=url, direct_url=pgauthkit_url))
    assert [finding.advice for finding in report.findings if finding.level == "wrong"] == [
        "Say ?pgbouncer=true in the URL, or create_engine(…, pgbouncer=True)."
    ]
    assert examine(SetUp(url=f"{url}?pgbouncer=true", direct_url=pgauthkit_url)).is_fine


def test_a_statement_timeout_of_transactions(url: str) -> None:
    """It holds in each transaction, whichever server it is on, and reaches no other client."""
    engine = create_engine(url, pgbouncer=True, statement_timeout=timedelta(seconds=0.2))
    other = create_engine(url, pgbouncer=True)
    for _ in range(4):
        with engine.begin() as connection, other.begin() as stranger:
            assert connection.scalar(SHOW) == "200ms"
            assert stranger.scalar(SHOW) == "0"
    with pytest.raises(sa.exc.OperationalError) as caught, engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_sleep(20)"))
    assert isinstance(caught.value.orig, psycopg.errors.QueryCanceled)
    engine.dispose()
    other.dispose()


def test_a_statement_timeout_of_the_role(url: str, pgauthkit_url: str) -> None:
    """A role's own setting bounds the service's statements as well, which have no transaction."""
    database = str(make_url(pgauthkit_url).database)
    with psycopg.connect(pgauthkit_url, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE postgres IN DATABASE {database} SET statement_timeout = '2s'".encode())
        owner.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        engine = create_engine(url, pgbouncer=True)
        auth = AuthService(engine)
        sign_in(auth, "ada@example.com")
        with psycopg.connect(pgauthkit_url) as other:
            other.execute("LOCK TABLE pgauthkit.magic_links")
            with pytest.raises(DatabaseUnavailableError, match="see statement_timeout"):
                auth.request_magic_link("ada@example.com")
        engine.dispose()


@pytest.mark.parametrize("where", ["options", "unknown database"])
def test_what_pgbouncer_refuses(url: str, where: str) -> None:
    """What PgBouncer says of itself is told with what to do."""
    options: dict[str, Any] = {"connect_args": {"options": "-c lock_timeout=5"}} if where == "options" else {}
    engine = create_engine(url if where == "options" else make_url(url).set(database="nothing"), **options)
    with pytest.raises(DatabaseUnavailableError) as caught:
        AuthService(engine).list_sessions("nobody")
    expected = "A pooler does not pass on" if where == "options" else "There is no such database"
    assert expected in str(caught.value)
    engine.dispose()


def test_a_standby_behind_it(pgauthkit_url: str, pgauthkit_replica: Replica) -> None:
    """A client that PgBouncer brings to a standby, after a primary, finds out, though it is told of no change."""
    primary, standby = (dict(make_url(url).query) for url in (pgauthkit_url, pgauthkit_replica.url))
    running = PgBouncer(str(primary["host"]), str(primary["port"])).start()
    engine = create_engine(running.url(make_url(pgauthkit_url)), pgbouncer=True)
    try:
        auth = AuthService(engine)
        auth.request_magic_link("ada@example.com")
        running.move(str(standby["host"]), str(standby["port"]))
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
            clock = threading.Event()
            assert any(other.execute(IS_STANDBY).fetchone() == (True,) or clock.wait(0.02) for _ in range(3000))
        with pytest.raises(DatabaseUnavailableError, match="read-only standby"):
            auth.request_magic_link("ada@example.com")
    finally:
        engine.dispose()
        running.stop()
