"""The doctor: every check, on a set-up that is fine, and on one that is not."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import NullPool, make_url
from tests.balancer import balancer

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.ops.doctor import Finding, Report, SetUp, examine
from pgauthkit.ops.doctor.columns import check_columns
from pgauthkit.ops.doctor.connections import check_balancer, judge_pool
from pgauthkit.ops.doctor.server import judge_clock, judge_encoding, judge_standby, judge_version
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.revisions.tracks import host_track
from pgauthkit.testing import Clock

Tell = Callable[[str], None]
DATABASE = "blog"


def found(report: Report, check: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.check == check]


def levels(report: Report) -> dict[str, list[str]]:
    return {finding.check: [other.level for other in found(report, finding.check)] for finding in report.findings}


@pytest.fixture
def tell(pgauthkit_url: str) -> Iterator[Tell]:
    """Runs a command in the test's database, as its owner."""
    with psycopg.connect(pgauthkit_url, autocommit=True) as connection:

        def run(command: str) -> None:
            connection.execute(command.encode())

        yield run


@pytest.fixture
def role(pgauthkit_url: str, tell: Tell) -> Iterator[str]:
    """A role that may connect and no more; its name is the database's."""
    name = str(make_url(pgauthkit_url).database)
    tell(f"CREATE ROLE {name} LOGIN")
    yield name
    tell(f"DROP OWNED BY {name}")
    tell(f"DROP ROLE {name}")


@pytest.fixture
def role_url(pgauthkit_url: str, role: str) -> str:
    return make_url(pgauthkit_url).set(username=role).render_as_string(hide_password=False)


def pooler(url: str, *, per_transaction: bool) -> AbstractContextManager[str]:
    """The small pooler of the migrations' tests."""
    path = Path(__file__).parents[1] / "server" / "test_pooler.py"
    spec = importlib.util.spec_from_file_location("pooler_of_the_migrations_tests", path)
    assert spec
    assert spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: AbstractContextManager[str] = module.pooler(url, per_transaction=per_transaction)
    return made


class TestFine:
    def test_nothing_is_wrong(self, pgauthkit_url: str, role: str, role_url: str, tell: Tell) -> None:
        """A migrated database, a role with rights on rows, and a direct URL of the owner: all is well."""
        tell(f"GRANT USAGE ON SCHEMA pgauthkit TO {role}")
        tell(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgauthkit TO {role}")
        report = examine(SetUp(url=role_url, direct_url=pgauthkit_url))
        assert report.is_fine
        assert {"ok"} == {finding.level for finding in report.findings}
        assert {""} == {finding.advice for finding in report.findings}
        assert [finding.check for finding in report.findings][:13] == [
            "server",
            "server",
            "version",
            "encoding",
            "standby",
            "pooler",
            "pool",
            "clock",
            "zone",
            "rights",
            "pooler",
            "revisions",
            "drift",
        ]

    def test_no_password_is_told(self) -> None:
        """A URL is named without its password."""
        url = "postgresql://app:do-not-print-me@127.0.0.1:1/app?sslpassword=do-not-print-me"
        assert "do-not-print-me" not in str(examine(SetUp(url=url)))


class TestServer:
    def test_nobody_answers(self) -> None:
        """A server that is not there is the one thing to be told."""
        (finding,) = examine(SetUp(url="postgresql://app@127.0.0.1:1/app")).findings
        assert (finding.check, finding.level) == ("server", "wrong")
        assert finding.message == "Cannot reach postgresql://app@127.0.0.1:1/app."
        assert finding.advice.startswith("Nothing listens there")

    def test_nobody_answers_at_the_direct_url(self, pgauthkit_url: str) -> None:
        """The same for the direct URL alone."""
        report = examine(SetUp(url=pgauthkit_url, direct_url="postgresql://app@127.0.0.1:1/app"))
        assert levels(report) == {"server": ["ok", "wrong"]}
        assert not report.is_fine

    @pytest.mark.parametrize(
        ("number", "level", "shown"),
        [
            (130022, "wrong", "13.22"),
            (140003, "wrong", "14.3"),
            (140004, "warning", "14.4"),
            (160014, "ok", "16.14"),
            (180004, "ok", "18.4"),
            (190000, "warning", "19.0"),
        ],
    )
    def test_version(self, number: int, level: str, shown: str) -> None:
        """A version without support, or that loses rows, is wrong; one that we are not tested on is a warning."""
        finding = judge_version(number)
        assert (finding.level, finding.message) == (level, f"The server is PostgreSQL {shown}.")

    @pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (2, "ok"), (2.1, "warning"), (3600, "warning")])
    def test_clock(self, seconds: float, level: str) -> None:
        """Clocks that are more than two seconds apart are worth a warning."""
        assert judge_clock(timedelta(seconds=seconds)).level == level

    @pytest.mark.parametrize(("encoding", "level"), [("UTF8", "ok"), ("LATIN1", "warning"), ("SQL_ASCII", "warning")])
    def test_encoding(self, encoding: str, level: str) -> None:
        """A database that cannot hold every character, or does not know what they are, is worth a warning."""
        assert judge_encoding(encoding).level == level

    @pytest.mark.parametrize(
        ("is_standby", "is_read_only", "level"), [(False, False, "ok"), (True, True, "wrong"), (False, True, "wrong")]
    )
    def test_standby(self, *, is_standby: bool, is_read_only: bool, level: str) -> None:
        """A server that takes no writes signs nobody in."""
        assert judge_standby(is_standby=is_standby, is_read_only=is_read_only).level == level


class TestConnections:
    @pytest.mark.parametrize(("wanted", "level"), [(80, "ok"), (81, "warning"), (100, "warning"), (101, "wrong")])
    def test_pool(self, wanted: int, level: str) -> None:
        """More connections than there are is wrong, and four fifths of them a warning."""
        assert judge_pool(wanted, 100).level == level

    def test_pool_by_the_url(self, pgauthkit_url: str) -> None:
        """How many there may be is read from the URL, for each process; or it is told."""
        url = f"{pgauthkit_url}&pool_size=200&max_overflow=2"
        (finding,) = found(examine(SetUp(url=url, processes=4)), "pool")
        assert (finding.level, finding.message[:40]) == ("wrong", "The application may open 808 connections")
        (finding,) = found(examine(SetUp(url=url, processes=4, pool_size=3)), "pool")
        assert (finding.level, finding.message[:39]) == ("ok", "The application may open 12 connections")

    def test_pool_by_the_role(self, role: str, role_url: str, tell: Tell) -> None:
        """A role's own limit counts."""
        tell(f"ALTER ROLE {role} CONNECTION LIMIT 7")
        (finding,) = found(examine(SetUp(url=role_url)), "pool")
        assert finding.message == "The application may open 15 connections, and 7 are to be had."
        assert finding.level == "wrong"

    def test_a_pooler_that_the_url_does_not_mention(self, pgauthkit_url: str) -> None:
        """Behind a pooler statements would be prepared: that is wrong, and a migration there as well."""
        with pooler(pgauthkit_url, per_transaction=True) as pooled:
            report = examine(SetUp(url=pooled, direct_url=pgauthkit_url))
            assert [(finding.level, "pgbouncer=true" in finding.advice) for finding in found(report, "pooler")] == [
                ("wrong", True),
                ("ok", False),
            ]
            assert found(report, "pool")[0].message.endswith("is the pooler's business (default_pool_size).")
            report = examine(SetUp(url=f"{pooled}?pgbouncer=true", direct_url=pooled))
            assert [finding.level for finding in found(report, "pooler")] == ["ok", "wrong"]
            assert found(report, "pooler")[1].advice.startswith("Set DIRECT_URL")

    @pytest.mark.parametrize(("balances", "level"), [(True, "warning"), (False, "ok")])
    def test_a_pooler_that_balances_reads(
        self, pgauthkit_url: str, pgauthkit_empty_url: str, *, balances: bool, level: str
    ) -> None:
        """Pgpool-II is told by its name, with a warning where it sends reads to standbys."""
        with balancer(pgauthkit_url, pgauthkit_empty_url, balances=balances) as url:
            engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            with engine.connect() as connection:
                (finding,) = check_balancer(connection)
        assert (finding.level, "Pgpool-II answers" in finding.message) == (level, True)

    def test_no_pooler_where_the_url_says_so(self, pgauthkit_url: str) -> None:
        """To prepare nothing without need is slow, and no more."""
        (finding,) = found(examine(SetUp(url=f"{pgauthkit_url}&pgbouncer=true")), "pooler")
        assert finding.level == "warning"


class TestRights:
    def test_a_role_without_rights(self, role_url: str) -> None:
        """Every right that is lacking is named, and what to do; what cannot be looked at is said."""
        report = examine(SetUp(url=role_url))
        (finding,) = found(report, "rights")
        assert finding.level == "wrong"
        assert "SELECT on pgauthkit.magic_links, INSERT on pgauthkit.magic_links" in finding.message
        assert "GRANT USAGE ON SCHEMA pgauthkit" in finding.advice
        assert {("revisions", "warning"), ("drift", "warning"), ("purge", "warning")} <= {
            (finding.check, finding.level) for finding in report.findings
        }

    def test_a_role_that_lacks_one(self, role: str, role_url: str, tell: Tell) -> None:
        """One right on one table is enough to be told."""
        tell(f"GRANT USAGE ON SCHEMA pgauthkit TO {role}")
        tell(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgauthkit TO {role}")
        tell(f"REVOKE DELETE ON pgauthkit.sessions FROM {role}")
        (finding,) = found(examine(SetUp(url=role_url)), "rights")
        assert finding.message == "The role lacks DELETE on pgauthkit.sessions."

    def test_a_superuser(self, pgauthkit_url: str) -> None:
        """An application that may do everything is worth a warning."""
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "rights")
        assert finding.level == "warning"


class TestSchema:
    def test_not_migrated(self, pgauthkit_empty_url: str) -> None:
        """Pending revisions are wrong, and without tables there is nothing more to look at."""
        report = examine(SetUp(url=pgauthkit_empty_url))
        (finding,) = found(report, "revisions")
        assert (
            finding.message
            == "Not in sync, of pgauthkit: 0001 (pending), 0002 (pending), 0003 (pending), 0004 (pending),"
            " 0005 (pending)."
        )
        assert finding.advice == "Run pgauthkit migrate deploy."
        assert not found(report, "drift")

    def test_a_revision_that_no_file_explains(self, pgauthkit_url: str, tell: Tell) -> None:
        """A database ahead of its files is wrong, and no deployment helps."""
        tell("UPDATE pgauthkit.alembic_version SET version_num = '9999'")
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "revisions")
        assert finding.level == "wrong"
        assert "9999 (missing)" in finding.message

    def test_revisions_of_the_application(self, pgauthkit_url: str, tmp_path: Path) -> None:
        """The application's own track is told apart."""
        versions = tmp_path / "migrations" / "versions"
        versions.mkdir(parents=True)
        (versions / "a1.py").write_text('"""Nothing."""\nrevision = "a1"\ndown_revision = None\ndef upgrade(): pass\n')
        (tmp_path / "migrations" / "env.py").write_text(
            "from alembic import context\n"
            "context.configure(connection=context.config.attributes['connection'])\n"
            "with context.begin_transaction():\n"
            "    context.run_migrations()\n"
        )
        report = examine(SetUp(url=pgauthkit_url, host=host_track(tmp_path, "migrations")))
        assert [finding.level for finding in found(report, "revisions")] == ["ok", "wrong"]
        assert found(report, "revisions")[1].message == "Not in sync, of the application: a1 (pending)."

    def test_an_env_py_that_cannot_be_loaded(self, pgauthkit_url: str, tmp_path: Path) -> None:
        """What the application's files lack is said, and no other role is advised, which would not help."""
        (tmp_path / "migrations" / "versions").mkdir(parents=True)
        (tmp_path / "migrations" / "env.py").write_text("import no_such_blog\n")
        (finding,) = found(examine(SetUp(url=pgauthkit_url, host=host_track(tmp_path, "migrations"))), "revisions")
        assert (finding.level, finding.advice) == ("warning", "")
        assert "No module named 'no_such_blog'" in finding.message

    def test_drift(self, pgauthkit_url: str, tell: Tell) -> None:
        """What somebody changed by hand is wrong, a finding each."""
        tell("ALTER TABLE pgauthkit.users ADD COLUMN nickname text")
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "drift")
        assert finding.level == "wrong"
        assert "nickname" in finding.message
        assert "pgauthkit migrate drift" in finding.advice


class TestTables:
    def test_an_index_that_is_mostly_air(self, pgauthkit_url: str, tell: Tell) -> None:
        """An index much larger than its rows need is a warning, with the command; a small one is not looked at."""
        tell(
            "INSERT INTO pgauthkit.users (id, email) SELECT 'c' || n, md5(n::text) || '@example.com'"
            " FROM generate_series(1, 5000) AS n"
        )
        tell("DELETE FROM pgauthkit.users WHERE id NOT LIKE 'c1%00'")
        tell("VACUUM ANALYZE pgauthkit.users")
        assert [finding.level for finding in found(examine(SetUp(url=pgauthkit_url)), "bloat")] == ["ok"]
        bloated = found(examine(SetUp(url=pgauthkit_url, bloat_from=100_000)), "bloat")
        assert {"warning"} == {finding.level for finding in bloated}
        assert any("REINDEX INDEX CONCURRENTLY pgauthkit.uq_users_email" in finding.advice for finding in bloated), (
            bloated
        )

    def test_rows_that_are_overdue(self, pgauthkit_url: str) -> None:
        """What ended long ago and is still there is a warning, until it is purged."""
        clock = Clock()
        clock.move(-timedelta(days=60))
        engine = create_engine(pgauthkit_url)
        auth = AuthService(engine, AuthConfig(clock=clock))
        auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "purge")
        assert finding.level == "warning"
        assert finding.message == "Links and sessions that ended more than 8 days ago: 2."
        AuthService(engine).purge()
        engine.dispose()
        assert [finding.level for finding in found(examine(SetUp(url=pgauthkit_url)), "purge")] == ["ok"]

    def test_very_many_rows_that_are_overdue(self, pgauthkit_url: str, tell: Tell) -> None:
        """Beyond ten thousand nobody counts."""
        tell(
            "INSERT INTO pgauthkit.magic_links (id, token_hash, email, expires_at)"
            " SELECT 'c' || n, sha256(n::text::bytea), 'ada@example.com', now() - interval '1 year'"
            " FROM generate_series(1, 10001) AS n"
        )
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "purge")
        assert finding.message.endswith(" 10,000 or more.")

    def test_addresses(self, pgauthkit_url: str, tell: Tell) -> None:
        """Rows that were copied in with an address that nobody can type are named by their ids, and no others."""
        tell(
            "INSERT INTO pgauthkit.users (id, email) VALUES ('good', 'ada@xn--bcher-kva.example'),"
            " ('other', 'ada@xn--a.example'), ('refused', 'ada@ab--cd.example')"
        )
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "addresses")
        assert finding.level == "wrong"
        assert finding.message == "Users whose address is not in its canonical form: 2, among them other, refused."
        assert "ada@" not in str(finding)

    @pytest.mark.parametrize("analysed", [False, True], ids=["never analysed", "vacuumed while it was empty"])
    def test_tables_that_are_believed_to_be_empty(self, pgauthkit_url: str, tell: Tell, *, analysed: bool) -> None:
        """A table of many rows that PostgreSQL knows of none of is a warning until it is analysed."""
        tell("CREATE TABLE posts (id int) WITH (autovacuum_enabled = off)")
        tell("VACUUM (ANALYZE) posts" if analysed else "SELECT 1")
        tell("INSERT INTO posts SELECT generate_series(1, 10000)")
        tell("SELECT pg_stat_force_next_flush()")
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "analyze")
        assert finding.level == "warning"
        assert finding.message.endswith(": 1, among them public.posts (10,000 rows).")
        tell("ANALYZE posts")
        assert [finding.level for finding in found(examine(SetUp(url=pgauthkit_url)), "analyze")] == ["ok"]

    def test_no_counts_of_rows(self, pgauthkit_url: str, tell: Tell) -> None:
        """Where autovacuum does not learn what changes, that is the warning."""
        tell(f"ALTER DATABASE {make_url(pgauthkit_url).database} SET track_counts = off")
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "analyze")
        assert (finding.level, finding.message[:17]) == ("warning", "Autovacuum is off")


class TestZone:
    @pytest.mark.parametrize(
        ("zone", "level"),
        [("UTC", "ok"), ("Africa/Abidjan", "ok"), ("Europe/London", "warning"), ("Europe/Berlin", "warning")],
    )
    def test_of_the_database(self, pgauthkit_url: str, tell: Tell, zone: str, level: str) -> None:
        """A zone that is not UTC all year is a warning where a table has a column without one, and not before."""
        tell(f"ALTER DATABASE {make_url(pgauthkit_url).database} SET timezone = '{zone}'")
        tell("CREATE TABLE posts (id int, written timestamptz)")
        assert levels(examine(SetUp(url=pgauthkit_url)))["zone"] == ["ok"]
        tell("ALTER TABLE posts ADD read timestamp DEFAULT now()")
        (finding,) = found(examine(SetUp(url=pgauthkit_url)), "zone")
        warned = f"The TimeZone is {zone}, and columns have none: 1, among them public.posts.read. "
        assert (finding.level, finding.message.startswith(warned)) == (level, level == "warning")


class TestColumns:
    @pytest.mark.parametrize(
        ("columns", "wrong"),
        [
            ("ADD a text NOT NULL", "pgauthkit.users.a is NOT NULL without a default, so that nobody can sign up."),
            ("ADD a text DEFAULT 'x (1)'::varchar(9) UNIQUE", "pgauthkit.users_a_key is UNIQUE, and its default"),
            ("ADD a int DEFAULT 0, ADD b text DEFAULT '', ADD UNIQUE (b, a)", "pgauthkit.users_b_a_key is UNIQUE"),
            ("ADD a int UNIQUE NULLS NOT DISTINCT", "pgauthkit.users_a_key is UNIQUE"),
        ],
    )
    def test_wrong(self, pgauthkit_url: str, tell: Tell, columns: str, wrong: str) -> None:
        """A column of the application's that keeps people from signing up is named, with what to do."""
        tell(f"ALTER TABLE pgauthkit.users {columns}")
        with psycopg.connect(pgauthkit_url) as connection, pytest.raises(psycopg.IntegrityError):
            connection.execute(
                "INSERT INTO pgauthkit.users (id, email) SELECT n, n || '@a.test' FROM generate_series(1, 2) n"
            )
        (finding,) = columns_of(pgauthkit_url)
        assert finding.level == "wrong"
        assert finding.message.startswith(wrong)
        assert finding.advice.startswith("In a revision of the application: ")

    def test_fine(self, pgauthkit_url: str, tell: Tell) -> None:
        """Columns that may be left out are fine: empty, made by the server, or unique with something that is ours."""
        tell(
            "ALTER TABLE pgauthkit.users ADD a text UNIQUE, ADD b bigint GENERATED ALWAYS AS IDENTITY UNIQUE,"
            " ADD c uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE, ADD d text NOT NULL DEFAULT '', ADD UNIQUE (d, id),"
            " ADD e int NOT NULL GENERATED ALWAYS AS (1) STORED, ADD f text NOT NULL DEFAULT CURRENT_USER"
        )
        tell("CREATE UNIQUE INDEX ON pgauthkit.users (d) WHERE d <> ''")
        assert [finding.level for finding in columns_of(pgauthkit_url)] == ["ok"]


def columns_of(url: str) -> list[Finding]:
    """Return what the check of columns alone finds."""
    engine = create_engine(url)
    with engine.connect() as connection:
        findings = [*check_columns(connection)]
    engine.dispose()
    return findings


class TestBackups:
    @staticmethod
    def make(directory: Path, name: str, *, age: timedelta, size: int = 3, **changes: object) -> None:
        (directory / f"{name}.dump").write_bytes(b"abc")
        values: dict[str, Any] = {
            "database": DATABASE,
            "created_at": datetime.now(UTC) - age,
            "format": "custom",
            "schema_only": False,
            "size": size,
            "sha256": "0" * 64,
            "server_version": "16.14",
            "tool_version": "16.14",
            "revisions": {},
            "rows": {},
        }
        (directory / f"{name}.dump.json").write_text(Manifest(**values | changes).as_json())

    @staticmethod
    def look(directory: Path) -> Finding:
        url = f"postgresql://app@127.0.0.1:1/{DATABASE}"
        (finding,) = found(examine(SetUp(url=url, backups=directory)), "backups")
        return finding

    def test_young_enough(self, tmp_path: Path) -> None:
        """The newest counts."""
        self.make(tmp_path, "old", age=timedelta(days=9))
        self.make(tmp_path, "new", age=timedelta(hours=3))
        assert (self.look(tmp_path).level, self.look(tmp_path).message) == ("ok", "The newest backup is 3 h old.")

    def test_too_old(self, tmp_path: Path) -> None:
        """After a day and two hours it is too old."""
        self.make(tmp_path, "old", age=timedelta(days=9))
        assert (self.look(tmp_path).level, self.look(tmp_path).message) == ("wrong", "The newest backup is 9 days old.")

    def test_none_that_counts(self, tmp_path: Path) -> None:
        """One that is cut off, of another database, without rows or without a manifest that can be read is none."""
        young = timedelta(0)
        self.make(tmp_path, "cut", age=young, size=4)
        self.make(tmp_path, "other", age=young, database="shop")
        self.make(tmp_path, "empty", age=young, schema_only=True)
        (tmp_path / "package.json").write_text(json.dumps({"name": "x"}))
        self.make(tmp_path, "gone", age=young)
        (tmp_path / "gone.dump").unlink()
        finding = self.look(tmp_path)
        assert finding.level == "wrong"
        assert finding.message == f"There is no whole backup of this database in {tmp_path}."
        assert "pgauthkit backup --schedule" in finding.advice
