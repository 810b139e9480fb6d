"""A database that cannot be reached: what is said of it, and what never is."""

import os
import pickle
import signal
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs
import psycopg
import pytest
import sqlalchemy as sa
import trustme
from psycopg import errors as pg
from sqlalchemy import make_url

from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import RateLimits
from pgauthkit.database import guard
from pgauthkit.database.account import find_account
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.database.unavailable import translate, translated
from pgauthkit.errors import (
    DatabaseUnavailableError,
    PendingMigrationsError,
    PgAuthKitError,
    RetryableError,
    UniqueViolationError,
)
from pgauthkit.ops.migrate import deploy

if TYPE_CHECKING:
    from tests.integration.conftest import Database, Host

NEGOTIATIONS = (80877103, 80877104)  # SSLRequest, GSSENCRequest
ADA = "ada@example.com"
PATIENCE = 60.0  # seconds
PASSWORD = "do-not-print-me"
GENERAL = (
    "Check the URL (DATABASE_URL, where it came from the environment).",
    "Check that PostgreSQL is running and lets this host in (pg_hba.conf, firewall).",
)
WRONG_PASSWORD = "The user or the password is wrong."
NO_PASSWORD = "The server wants a password, and the URL has none."
NO_DATABASE = "There is no such database: create it, or check its name in the URL."
NO_USER = "There is no such user: create it, or check its name in the URL."
TIMED_OUT = "No answer in time: check the network, a firewall, or raise connect_timeout."
NO_HOST = "The host's name cannot be resolved: check its spelling and the DNS."
FULL = "The server has no connection left: lower the pools, or use PgBouncer."
STARTING = "The server is starting up: try again in a moment."
STANDBY = (
    "The server is a read-only standby: connect to the primary. Or default_transaction_read_only is on for this"
    " database or role: set it to off."
)
STOPPING = "The server is shutting down, or an administrator ended the connection: try again in a moment."
CRASHED = "The server recovers from a crash: try again in a moment, and see its log."
NOT_ALLOWED = "The server does not let this user in from here: see its pg_hba.conf, which may also demand TLS."
WRONG_SIDE = "No host is what target_session_attrs asks for: a failover may be under way, so try again."
CERTIFICATE = "The server's certificate is not trusted here: check sslrootcert, the host's name, and its dates."
OF_THE_PASSWORD = (
    "The user or the password is wrong.",
    "There is no such database or user: create it, or check the name in the URL.",
    FULL,
)
REFUSED = "Nothing listens there: is PostgreSQL running, and are host and port right?"
NO_SOCKET = "There is no socket in that directory: is PostgreSQL running, and is the path right?"
NOT_PASSED_ON = "A pooler does not pass on what the URL sets: give pgbouncer=True, and use role settings."
POOLER_ALONE = "The pooler is there, and got no connection to its server: see its log."
CLOSED = "The other side closed the connection: see the logs of the server, and of a proxy or pooler before it."
NO_TLS = "The server speaks no TLS, and the URL demands it (sslmode)."


@pytest.fixture(scope="module")
def tcp_url() -> Iterator[str]:
    """The URL of a server that asks for a password."""
    with EmbeddedPostgres(tcp=True) as server:
        yield server.url()


@contextmanager
def refusing(
    state: str, words: str, *, asks: bool = False, certificate: trustme.LeafCert | None = None
) -> Iterator[int]:
    """A server that refuses everybody, with its port: it speaks PostgreSQL's protocol, and TLS with a certificate.

    https://www.postgresql.org/docs/16/protocol-flow.html
    """
    fields = f"SFATAL\0VFATAL\0C{state}\0M{words}\0\0".encode()
    refusal = b"E" + struct.pack("!i", len(fields) + 4) + fields

    def answer(client: socket.socket) -> None:
        with client, suppress(OSError):
            while struct.unpack("!ii", client.recv(8))[1] in NEGOTIATIONS:
                client.sendall(b"S" if certificate else b"N")
                if certificate:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    certificate.configure_cert(context)
                    context.wrap_socket(client, server_side=True)
            client.recv(1024)
            if asks:
                client.sendall(b"R" + struct.pack("!ii", 8, 3))
                client.recv(1024)
            client.sendall(refusal)

    def serve() -> None:
        with suppress(OSError):
            while True:
                answer(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where the account of a server, which is not root's, can get in."""
    with tempfile.TemporaryDirectory(prefix="pgak-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "server"


@contextmanager
def running(directory: Path, *, tcp: bool = False) -> Iterator[tuple[EmbeddedPostgres, int]]:
    """A server for one test to spoil, with the id of its first process."""
    with EmbeddedPostgres(directory=directory, tcp=tcp) as server:
        yield server, int((directory / guard.DATA / "postmaster.pid").read_text().split()[0])


def wait_until_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError):
        keep_connecting(server)


def keep_connecting(server: EmbeddedPostgres) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:  # pragma: no branch - then nobody was refused, and the test fails
        psycopg.connect(server.url()).close()


def connect_when_free(server: EmbeddedPostgres) -> psycopg.Connection:
    """Connect as soon as there is a slot: who was refused, or has just left, holds one until its process has ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(server.url(), autocommit=True)
        except psycopg.OperationalError:  # pragma: no cover - by chance
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@pytest.fixture
def config(pgauthkit_config: AuthConfig) -> AuthConfig:
    return pgauthkit_config


def failure(auth: AuthService) -> DatabaseUnavailableError:
    """Call the service in vain, and return the error, which must be free of the driver's and of the password."""
    with pytest.raises(DatabaseUnavailableError) as caught:
        auth.request_magic_link(ADA)
    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (str(error), error.hints) == (str(copy), copy.hints)
    assert PASSWORD not in f"{error} {error!r} {error.hints} {pickle.dumps(error)!r}"
    return error


class TestByTheService:
    def test_no_socket(self, host: "Host", config: AuthConfig) -> None:
        """Where there is no server behind a Unix socket the error says where it was looked for, and what to check."""
        error = failure(host.service(f"postgresql://app:{PASSWORD}@/app?host=/nowhere&port=5433", config))
        assert error.hints == (NO_SOCKET,)
        expected = "Cannot reach the database at postgresql://app:***@/app?host=%2Fnowhere&port=5433.\n"
        assert f"{expected}  - {NO_SOCKET}" == str(error)

    def test_nothing_listens(self, host: "Host", config: AuthConfig) -> None:
        """Where nothing listens at a port the error says so."""
        error = failure(host.service(f"postgresql://app:{PASSWORD}@127.0.0.1:1/app", config))
        assert error.hints == (REFUSED,)
        assert "at postgresql://app:***@127.0.0.1:1/app." in str(error)

    def test_wrong_password(self, host: "Host", config: AuthConfig, tcp_url: str) -> None:
        """A wrong password is told as such, without it."""
        wrong = make_url(tcp_url).set(password=PASSWORD).render_as_string(hide_password=False)
        assert failure(host.service(wrong, config)).hints == (WRONG_PASSWORD,)

    def test_wrong_user(self, host: "Host", config: AuthConfig, tcp_url: str) -> None:
        """A user whom the server does not know is told in the same way, as the server does."""
        wrong = make_url(tcp_url).set(username="nobody", password=PASSWORD).render_as_string(hide_password=False)
        assert failure(host.service(wrong, config)).hints == (WRONG_PASSWORD,)

    def test_no_password(self, host: "Host", config: AuthConfig, tcp_url: str) -> None:
        """A server that wants a password says so."""
        url = make_url(tcp_url)
        bare = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
        assert failure(host.service(bare, config)).hints == (NO_PASSWORD,)

    def test_no_such_database(self, host: "Host", config: AuthConfig, tcp_url: str) -> None:
        """A database that does not exist is told by its name, and the right password is not."""
        url = make_url(tcp_url).set(database="nothing")
        error = failure(host.service(url.render_as_string(hide_password=False), config))
        assert error.hints == (NO_DATABASE,)
        assert "/nothing." in str(error)
        assert str(url.password) not in str(error)

    def test_no_tls(self, host: "Host", config: AuthConfig, tcp_url: str) -> None:
        """A server without TLS does not get an unprotected connection where the URL wants a protected one."""
        assert failure(host.service(f"{tcp_url}?sslmode=require", config)).hints == (NO_TLS,)

    def test_an_unknown_host(self, host: "Host", config: AuthConfig) -> None:
        """A host whose name nobody knows is told as such."""
        assert failure(host.service("postgresql://app@pgauthkit.invalid/app", config)).hints == (NO_HOST,)

    def test_no_answer(self, host: "Host", config: AuthConfig, directory: Path) -> None:
        """A server that takes the connection and says nothing is given up after connect_timeout."""
        with running(directory, tcp=True) as (server, postmaster):
            os.kill(postmaster, signal.SIGSTOP)
            try:
                assert failure(host.service(f"{server.url()}?connect_timeout=2", config)).hints == (TIMED_OUT,)
            finally:
                os.kill(postmaster, signal.SIGCONT)

    def test_too_many_connections(self, host: "Host", config: AuthConfig) -> None:
        """A server whose connections are all in use is told as such, to the superuser and to others."""
        with EmbeddedPostgres(settings={"max_connections": "5", "superuser_reserved_connections": "1"}) as server:
            others = make_url(server.url()).set(username="app").render_as_string()
            with ExitStack() as open_:
                open_.enter_context(connect_when_free(server)).execute("CREATE ROLE app LOGIN")
                for _ in range(3):
                    open_.enter_context(connect_when_free(server))
                assert failure(host.service(others, config)).hints == (FULL,)
                open_.enter_context(connect_when_free(server))
                assert failure(host.service(server.url(), config)).hints == (FULL,)

    def test_too_many_connections_of_a_role(self, host: "Host", config: AuthConfig) -> None:
        """The same where it is the role's own limit."""
        with EmbeddedPostgres() as server:
            with psycopg.connect(server.url(), autocommit=True) as first:
                first.execute("CREATE ROLE app LOGIN CONNECTION LIMIT 0")
            url = make_url(server.url()).set(username="app").render_as_string()
            assert failure(host.service(url, config)).hints == (FULL,)

    def test_a_server_that_starts_up(self, host: "Host", config: AuthConfig, directory: Path) -> None:
        """A server that is not ready yet is told as such: here one that follows another, and lets nobody read."""
        settings = {"wal_level": "replica", "hot_standby": "off"}
        EmbeddedPostgres(directory=directory, settings=settings).start().stop()
        follow = directory / guard.DATA / "standby.signal"
        follow.touch()
        find_account().give(follow)
        with EmbeddedPostgres(directory=directory, settings=settings) as server:
            assert failure(host.service(server.url(), config)).hints == (STARTING,)

    def test_a_standby(self, host: "Host", config: AuthConfig, directory: Path) -> None:
        """A standby that lets everybody read is told as that, with limits, whose rows it does not have, and without."""
        settings = {"wal_level": "replica"}
        with EmbeddedPostgres(directory=directory, settings=settings) as server:
            deploy(server.url())
        follow = directory / guard.DATA / "standby.signal"
        follow.touch()
        find_account().give(follow)
        with EmbeddedPostgres(directory=directory, settings=settings) as server:
            for limits in (RateLimits(), None):
                auth = host.service(server.url(), attrs.evolve(config, rate_limits=limits))
                assert failure(auth).hints == (STANDBY,)

    def test_a_server_that_shuts_down(self, host: "Host", config: AuthConfig, directory: Path) -> None:
        """A server that waits for its last session to end lets nobody in any more, and is told as that."""
        with running(directory) as (server, postmaster), psycopg.connect(server.url()):
            os.kill(postmaster, signal.SIGTERM)
            wait_until_refused(server)
            assert failure(host.service(server.url(), config)).hints == (STOPPING,)

    def test_a_server_that_crashed(self, host: "Host", config: AuthConfig, directory: Path) -> None:
        """While a server ends every session because one has crashed it is told as what recovers."""
        with running(directory) as (server, _), ExitStack() as sessions:
            slow, bad = (sessions.enter_context(closing(psycopg.connect(server.url()))) for _ in range(2))
            os.kill(slow.info.backend_pid, signal.SIGSTOP)  # the server gives it five seconds
            os.kill(bad.info.backend_pid, signal.SIGKILL)
            wait_until_refused(server)
            assert failure(host.service(server.url(), config)).hints == (CRASHED,)

    def test_a_server_that_lets_nobody_in(self, host: "Host", config: AuthConfig, directory: Path) -> None:
        """Where pg_hba.conf has no line for this host the error says so."""
        with running(directory, tcp=True) as (server, postmaster):
            (directory / guard.DATA / "pg_hba.conf").write_text("local all all trust\n")
            os.kill(postmaster, signal.SIGHUP)
            wait_until_refused(server)
            assert failure(host.service(server.url(), config)).hints == (NOT_ALLOWED,)

    def test_a_server_of_another_language(self, host: "Host", config: AuthConfig) -> None:
        """Where no word is known, that a password was asked for says what may be wrong."""
        with refusing("28P01", "Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen", asks=True) as port:
            url = f"postgresql://app:{PASSWORD}@127.0.0.1:{port}/app"
            assert failure(host.service(url, config)).hints == OF_THE_PASSWORD
        with refusing("57P03", "das Datenbanksystem startet") as port:
            assert failure(host.service(f"postgresql://app@127.0.0.1:{port}/app", config)).hints == GENERAL

    def test_a_certificate_of_somebody_else(self, host: "Host", config: AuthConfig, tmp_path: Path) -> None:
        """A server whose certificate nobody here vouches for gets no password."""
        trusted = tmp_path / "trusted.pem"
        trustme.CA().cert_pem.write_to_path(trusted)
        with refusing("28P01", "never said", certificate=trustme.CA().issue_cert("127.0.0.1")) as port:
            url = f"postgresql://app:{PASSWORD}@127.0.0.1:{port}/app?sslmode=verify-full&sslrootcert={trusted}"
            assert failure(host.service(url, config)).hints == (CERTIFICATE,)
            missing = url.replace("trusted.pem", "missing.pem")
            assert failure(host.service(missing, config)).hints == (CERTIFICATE,)

    def test_no_host_that_takes_writes(self, host: "Host", config: AuthConfig, tcp_url: str) -> None:
        """Where no host is what target_session_attrs asks for the error says so."""
        assert failure(host.service(f"{tcp_url}?target_session_attrs=standby", config)).hints == (WRONG_SIDE,)

    def test_a_session_that_somebody_ends(self, auth: AuthService, cut: Callable[[], None]) -> None:
        """A session that is ended from outside is no lost call: the next one connects again."""
        auth.list_sessions("nobody")
        cut()
        assert auth.list_sessions("nobody") == []

    @pytest.mark.parametrize("name", ["password", "sslpassword", "passfile"])
    def test_passwords_elsewhere_in_the_url(self, host: "Host", config: AuthConfig, name: str) -> None:
        """A password among the parameters is not shown either."""
        query = f"host=/nowhere&application_name=shop&{name}={quote(PASSWORD)}"
        error = failure(host.service(f"postgresql://app@/app?{query}", config))
        assert "application_name=shop" in str(error)

    def test_a_server_that_goes(self, host: "Host", config: AuthConfig) -> None:
        """When the server goes, the first call says so, and so does the next; nothing is left checked out."""
        with EmbeddedPostgres() as server:
            engine = host.engine(server.url())
            auth = host.service_on(engine, config)
            with pytest.raises(PendingMigrationsError):
                auth.request_magic_link(ADA)
            server.stop()
            for _ in range(2):
                assert failure(auth).hints == (NO_SOCKET,)
        pool = engine.pool
        assert isinstance(pool, sa.QueuePool)
        assert pool.checkedout() == 0

    def test_nobody_is_let_in(self, host: "Host", config: AuthConfig, auth: AuthService) -> None:
        """Without a database no token is good, and none is lost."""
        signed_in = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal())
        away = host.service("postgresql://app@/app?host=/nowhere", config)
        access, refresh = signed_in.tokens.access_token.reveal(), signed_in.tokens.refresh_token.reveal()
        for call in (lambda: away.authenticate(access), lambda: away.refresh(refresh)):
            with pytest.raises(DatabaseUnavailableError):
                call()
        auth.refresh(refresh)


class TestTranslate:
    @pytest.mark.parametrize(
        ("words", "hints"),
        [
            ('connection failed: FATAL:  password authentication failed for user "app"', (WRONG_PASSWORD,)),
            ("connection failed: fe_sendauth: no password supplied", (NO_PASSWORD,)),
            ('connection failed: FATAL:  database "app" does not exist', (NO_DATABASE,)),
            ('connection failed: FATAL:  role "app" does not exist', (NO_USER,)),
            ("connection failed: FATAL:  the database system is shutting down", (STOPPING,)),
            ("connection failed: FATAL:  the database system is in recovery mode", (CRASHED,)),
            ('connection failed: FATAL:  no pg_hba.conf entry for host "10.0.0.1"', (NOT_ALLOWED,)),
            ("connection failed: FATAL:  unsupported startup parameter: options", (NOT_PASSED_ON,)),
            ("connection failed: FATAL:  query_wait_timeout", (POOLER_ALONE,)),
            ("connection failed: Connection refused\n\tIs the server running on that host?", (REFUSED,)),
            ("connection is bad: No such file or directory\n\tIs the server running locally?", (NO_SOCKET,)),
            (
                "failed to resolve host 'db.exmaple': [Errno -2] Name or service not known",
                ("The host's name cannot be resolved: check its spelling and the DNS.",),
            ),
            (
                "connection timeout expired",
                ("No answer in time: check the network, a firewall, or raise connect_timeout.",),
            ),
            (
                "connection failed: FATAL:  sorry, too many clients already",
                ("The server has no connection left: lower the pools, or use PgBouncer.",),
            ),
            (
                "connection failed: FATAL:  remaining connection slots are reserved for superuser",
                ("The server has no connection left: lower the pools, or use PgBouncer.",),
            ),
            (
                "connection failed: FATAL:  the database system is starting up",
                ("The server is starting up: try again in a moment.",),
            ),
            ("connection failed: server does not support SSL, but SSL was required", (NO_TLS,)),
            ("Connection refused (first host), Connection refused (second host)", (REFUSED,)),
            ("Connection refused, then No such file or directory", (REFUSED, NO_SOCKET)),
            ("consuming input failed: server closed the connection unexpectedly", (CLOSED,)),
        ],
    )
    def test_words_of_libpq(self, words: str, hints: tuple[str, ...]) -> None:
        """What libpq says without a SQLSTATE leads to what to check, each thing once; its words are not repeated."""
        error = translate(psycopg.OperationalError(words))
        assert isinstance(error, DatabaseUnavailableError)
        assert hints == error.hints
        assert str(error).partition("\n")[0] == "Cannot reach the database."

    @pytest.mark.parametrize(
        ("cause", "expected"),
        [
            (pg.SerializationFailure(), RetryableError),
            (pg.DeadlockDetected(), RetryableError),
            (pg.UndefinedTable(), PendingMigrationsError),
            (pg.UndefinedColumn(), PendingMigrationsError),
            (pg.InvalidSchemaName(), PendingMigrationsError),
            (pg.UniqueViolation(), UniqueViolationError),
            (pg.QueryCanceled(), DatabaseUnavailableError),
            (pg.ReadOnlySqlTransaction(), DatabaseUnavailableError),
            (pg.AdminShutdown(), DatabaseUnavailableError),
            (psycopg.InterfaceError(), DatabaseUnavailableError),
            (pg.CheckViolation(), PgAuthKitError),
        ],
    )
    @pytest.mark.parametrize("wrapped", [False, True])
    def test_classes(self, cause: psycopg.Error, expected: type[PgAuthKitError], *, wrapped: bool) -> None:
        """An error is judged by its class, whether SQLAlchemy has wrapped it or not."""
        error = sa.exc.DBAPIError("SELECT 'secret'", {"code": "secret"}, cause) if wrapped else cause
        translation = translate(error)
        assert expected is type(translation)
        assert "secret" not in f"{translation!r}"

    def test_of_sqlalchemy(self) -> None:
        """An error of SQLAlchemy's own has no SQLSTATE."""
        error = translate(sa.exc.InvalidRequestError("secret"))
        assert str(error) == "PostgreSQL refused the statement (SQLSTATE None, InvalidRequestError)."


class TestTranslated:
    def test_values_stay_out(self, database: "Database") -> None:
        """What the server says of a row is neither in the error nor printed with it."""
        insert = "INSERT INTO pgauthkit.users (id, email, role) VALUES ('a', 'secret@example.com', 'KING')"
        with pytest.raises(PgAuthKitError, match=r"\(SQLSTATE 23514, CheckViolation\)\.$") as caught, translated():
            database.tell(insert)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_where_it_was(self) -> None:
        """With a URL the error says where, without its password."""
        url = make_url(f"postgresql://app:{PASSWORD}@127.0.0.1:1/app")
        with pytest.raises(DatabaseUnavailableError) as caught, translated(url):
            psycopg.connect(url.render_as_string(hide_password=False))
        assert (
            str(caught.value).partition("\n")[0] == "Cannot reach the database at postgresql://app:***@127.0.0.1:1/app."
        )
        assert caught.value.hints == (REFUSED,)

    def test_nothing_happened(self) -> None:
        """Where nothing fails nothing is raised, and errors of others pass."""
        with translated():
            pass
        with pytest.raises(KeyError), translated():
            raise KeyError
