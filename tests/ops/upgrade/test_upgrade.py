"""Moving from PostgreSQL 16 to 18 by logical replication, with both servers real, and somebody using the first."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import DatabaseUnavailableError, MigrationError
from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.upgrade import cancel, check, plan, switch
from pgauthkit.values import TokenPair

LOGICAL = {
    "wal_level": "logical",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "wal_retrieve_retry_interval": "50ms",
}
SHOP = """
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
INSERT INTO orders (what) SELECT 'a book' FROM generate_series(1, 50);
CREATE TABLE lines (of int, place int, what text, PRIMARY KEY (place, of));
INSERT INTO lines SELECT 1, i, 'a book' FROM generate_series(1, 5) AS i;
CREATE TABLE notes (body text);
INSERT INTO notes VALUES ('one'), ('one'), ('two');
CREATE UNLOGGED TABLE cached (key int PRIMARY KEY, value text);
INSERT INTO cached VALUES (1, 'warm');
CREATE MATERIALIZED VIEW sold AS SELECT count(*) FROM orders;
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[EmbeddedPostgres, EmbeddedPostgres]]:
    """One of each version."""
    with EmbeddedPostgres(settings=LOGICAL) as old, EmbeddedPostgres(major=18, settings=LOGICAL) as new:
        yield old, new


@pytest.fixture
def urls(
    servers: tuple[EmbeddedPostgres, EmbeddedPostgres], request: pytest.FixtureRequest
) -> Iterator[tuple[str, str]]:
    """A new database on each, the first with a shop in it; nothing of an upgrade is left afterwards."""
    name = f"shop_{abs(hash(request.node.nodeid))}"
    for server in servers:
        tell(server.url(), f"CREATE DATABASE {name}")
    old, new = (server.url(name) for server in servers)
    tell(old, SHOP)
    yield old, new
    cancel(old, new)
    for server in servers:
        tell(server.url(), f"DROP DATABASE {name} WITH (FORCE)")


def tell(url: str, *commands: str) -> None:
    """Carry out commands."""
    with psycopg.connect(url, autocommit=True) as connection:
        for command in commands:
            connection.execute(command.encode())


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question.encode()).fetchall()


@contextmanager
def in_use(auth: AuthService, held: list[TokenPair]) -> Generator[Callable[[AuthService], None]]:
    """Refresh all the time; gives what moves the application to another server, as a new URL does."""
    stop, where = threading.Event(), [auth]

    def refresh() -> None:
        number = 0
        while not stop.wait(0.005):
            number = (number + 1) % len(held)
            with suppress(DatabaseUnavailableError):  # in the pause
                held[number] = where[0].refresh(held[number].refresh_token.reveal())

    thread = threading.Thread(target=refresh)
    thread.start()
    try:
        yield lambda moved: where.__setitem__(0, moved)
        stop.wait(0.2)
    finally:
        stop.set()
        thread.join()


class TestMoving:
    def test_nobody_is_signed_out(self, urls: tuple[str, str]) -> None:
        """Every session and sequence goes on, every row is there, and what replication leaves out is brought too."""
        old, new = urls
        deploy(old)
        before, after = create_engine(old), create_engine(new)
        auth = AuthService(before, AuthConfig(codes=False))
        held = [
            auth.verify_magic_link(auth.request_magic_link(f"{number}@example.com").token.reveal()).tokens
            for number in range(10)
        ]
        said: list[str] = []
        with in_use(auth, held) as move:
            assert check(old, new, report=said.append).is_equal
            tell(old, "DELETE FROM notes WHERE body = 'two'", "INSERT INTO orders (what) VALUES ('a map')")
            assert check(old, new).is_equal
            done = switch(old, new, compare_rows=True)
            moved = AuthService(after, AuthConfig(codes=False))
            move(moved)
        assert {moved.authenticate(pair.access_token.reveal()).session_id for pair in held} == {
            pair.session_id for pair in held
        }
        assert (done.sequences, done.views) == (1, 1)
        assert done.rows > 70
        assert ask(new, "INSERT INTO orders (what) VALUES ('a pen') RETURNING id") == [(52,)]
        assert ask(new, "SELECT value FROM cached") == [("warm",)]
        assert ask(new, "SELECT * FROM sold") == [(51,)]
        assert "Copying the schema …" in said
        assert ask(old, "SHOW default_transaction_read_only") == [("on",)]
        assert ask(old, "SELECT relreplident::text FROM pg_class WHERE relname = 'notes'") == [("d",)]
        assert ask(old, "SELECT FROM pg_replication_slots WHERE database = current_database()") == []
        before.dispose()
        after.dispose()

    def test_rows_that_differ(self, urls: tuple[str, str]) -> None:
        """A row that is changed, missing or too many on the new side is counted, and the switch does not go through."""
        old, new = urls
        check(old, new)
        tell(
            new,
            "UPDATE orders SET what = 'a pencil' WHERE id = 1",
            "DELETE FROM lines WHERE place = 5",
            "DELETE FROM lines WHERE place = 1",
            "INSERT INTO lines VALUES (2, 9, 'a book')",
            "INSERT INTO notes VALUES ('one')",
        )
        found = check(old, new)
        assert {table.name: (table.rows, table.different) for table in found.tables} == {
            "public.orders": (50, 1),
            "public.lines": (6, 3),
            "public.notes": (2, 1),
        }
        with pytest.raises(
            MigrationError, match=r"the old server takes writes again: public\.lines \(3\), public\.notes"
        ):
            switch(old, new, compare_rows=True)
        tell(old, "INSERT INTO orders (what) VALUES ('a map')")
        mine = "JOIN pg_database d ON d.oid = setdatabase AND datname = current_database()"
        assert ask(old, "SELECT FROM pg_db_role_setting " + mine) == []

    def test_what_cannot_be_applied(self, urls: tuple[str, str]) -> None:
        """A row that is in the new side's way is an error that says where to look, and giving up helps."""
        old, new = urls
        # The application's own, which is left as it is.
        tell(old, "CREATE TABLE logged (line text)", "ALTER TABLE logged REPLICA IDENTITY FULL")
        check(old, new)
        tell(new, "INSERT INTO lines VALUES (7, 7, 'a map')")
        tell(old, "INSERT INTO lines VALUES (7, 7, 'a book')")
        with pytest.raises(MigrationError, match="cannot apply what the old one sends"):
            check(old, new)
        assert cancel(old, new)
        assert not cancel(old, new)
        identity = (
            "SELECT relname::text, relreplident::text FROM pg_class WHERE relname IN ('logged', 'notes') ORDER BY 1"
        )
        assert ask(old, identity) == [("logged", "f"), ("notes", "d")]


class TestObstacles:
    def test_none(self, urls: tuple[str, str]) -> None:
        """What is moved, and what is known of it; nothing is in the way, also where it has begun."""
        old, new = urls
        tell(old, f"ALTER DATABASE {ask(old, 'SELECT current_database()')[0][0]} SET work_mem = '8MB'")
        found = plan(old, new)
        assert (found.old, found.new, found.obstacles, found.is_copying) == (16, 18, (), False)
        assert {table.name: (table.has_key, table.is_unlogged) for table in found.tables} == {
            "public.cached": (True, True),
            "public.lines": (True, False),
            "public.notes": (False, False),
            "public.orders": (True, False),
        }
        assert [note.partition(":")[0] for note in found.notes[1:]] == [
            "public.cached is UNLOGGED",
            "public.notes has no primary key",
            "Settings of the database or of roles in it are not copied",
        ]
        # As after a beginning that was interrupted.
        tell(old, "CREATE PUBLICATION pgauthkit_upgrade FOR TABLE lines, notes, orders")
        check(old, new)
        assert plan(old, new).is_copying

    def test_a_server_for_nothing_of_it(self, pgauthkit_url: str, pgauthkit_empty_url: str) -> None:
        """A server without logical WAL, the same version, and databases that are the wrong way round."""
        assert [obstacle.split(":")[0] for obstacle in plan(pgauthkit_empty_url, pgauthkit_url).obstacles] == [
            "The old server has wal_level=minimal",
            "The old server has no slot or sender left",
            "The old database has no tables",
            "The new server is 16, and the old one 16",
            "The new database has 7 tables",
        ]
        with pytest.raises(MigrationError, match=r"Nothing was changed\. The old server has wal_level=minimal"):
            check(pgauthkit_empty_url, pgauthkit_url)

    def test_what_the_new_server_lacks(
        self, servers: tuple[EmbeddedPostgres, EmbeddedPostgres], urls: tuple[str, str]
    ) -> None:
        """Extensions, roles, the encoding and rights that are missing are named, and large objects."""
        old, new = urls
        roles = ["CREATE ROLE clerk LOGIN REPLICATION", "ALTER TABLE notes OWNER TO clerk", "SELECT lo_create(0)"]
        tell(old, *roles, "CREATE EXTENSION vector", "UPDATE pg_extension SET extname = 'tea' WHERE extname = 'vector'")
        tell(new, "CREATE ROLE reader LOGIN", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
        latin = servers[1].url("latin").replace("postgres@", "reader@")
        assert [obstacle.split(":")[0] for obstacle in plan(old, latin).obstacles] == [
            "The database has large objects, which are not replicated",
            "The role on the new server must be a superuser, to subscribe and to copy owners and grants.",
            "The new database is LATIN1, and the old one UTF8",
            "The new server does not have the extensions tea",
            "The new server does not have the roles clerk",
        ]
        tell(old, "ALTER ROLE clerk NOREPLICATION")
        obstacles = plan(old.replace("postgres@", "clerk@"), new).obstacles
        assert "The role on the old server may not replicate" in obstacles[0]
        tell(old, "DROP OWNED BY clerk", "DROP ROLE clerk")
        tell(new, "DROP DATABASE latin", "DROP ROLE reader")

    def test_standbys(self) -> None:
        """Neither side may be a standby."""
        with EmbeddedPostgres(replica=True) as pair:
            obstacles = plan(pair.replica.url(), pair.replica.url()).obstacles
        assert [one for one in obstacles if "standby" in one] == [
            "The old server is a standby: give the URL of the primary.",
            "The new server is a standby: give the URL of the primary.",
        ]

    def test_programs_that_are_too_old(
        self, servers: tuple[EmbeddedPostgres, EmbeddedPostgres], urls: tuple[str, str]
    ) -> None:
        """The schema is written by a pg_dump of the new version, which can be named."""
        with pytest.raises(MigrationError, match="no pg_dump of version 18 here: give its directory with --binaries"):
            check(*urls, binaries=Path(servers[0].bin))

    def test_what_a_role_may_not(self, urls: tuple[str, str]) -> None:
        """A schema that a role may not read, and a step that a server refuses, are errors of ours."""
        old, new = urls
        tell(old, "CREATE ROLE clerk LOGIN REPLICATION", "REVOKE ALL ON orders FROM PUBLIC")
        tell(new, "CREATE ROLE clerk")
        as_clerk = old.replace("postgres@", "clerk@")
        with pytest.raises(
            MigrationError, match=r"The schema cannot be copied, and .* is as it was: .*permission denied"
        ):
            check(as_clerk, new)
        tell(old, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk", "GRANT SELECT ON orders_id_seq TO clerk")
        with pytest.raises(MigrationError, match=r"A step was refused\. PostgreSQL refused .*InsufficientPrivilege"):
            check(as_clerk, new)
        with pytest.raises(DatabaseUnavailableError):
            check(old.replace("/shop_", "/nowhere_"), new)
        tell(old, "DROP OWNED BY clerk", "DROP ROLE clerk")
        tell(new, "DROP OWNED BY clerk", "DROP ROLE clerk")
