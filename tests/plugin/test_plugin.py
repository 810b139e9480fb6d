"""The fixtures, as the test suite of another project uses them."""

import subprocess
import sys

import psycopg
import pytest
from tests.tracing import untraced

from pgauthkit.testing import TestServer

# Of all plugins that are installed here, ours alone: it is found by its entry point, as any.
QUIET = ("-W", "error", "--disable-plugin-autoload", "-p", "pgauthkit", "-p", "no:cacheprovider")


@pytest.fixture
def server_option(pgauthkit_server: TestServer) -> str:
    """The option that makes another pytest use the server of this one."""
    return f"--pgauthkit-url={pgauthkit_server.url('postgres')}"


def databases(server: TestServer) -> set[str]:
    """Return the names of all databases."""
    with psycopg.connect(server.url("postgres")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_a_new_project_has_a_sign_in_in_three_lines(pytester: pytest.Pytester) -> None:
    """A test of three lines passes on a machine without PostgreSQL."""
    pytester.makepyfile(
        """
        def test_sign_in(pgauthkit_auth):
            link = pgauthkit_auth.request_magic_link("ada@example.com")
            assert pgauthkit_auth.verify_magic_link(link.token.reveal()).created
        """
    )
    pytester.runpytest_subprocess("-W", "error", "-p", "no:asyncio", "--pgauthkit-backend=embedded").assert_outcomes(
        passed=1
    )


def test_each_test_has_a_database_of_its_own(pytester: pytest.Pytester, server_option: str) -> None:
    """What one test commits, the next does not see; a session's commit is rolled back; an empty database is empty."""
    pytester.makepyfile(
        """
        import pytest
        import sqlalchemy as sa
        from pgauthkit.database import create_engine
        from pgauthkit.models import User

        @pytest.mark.parametrize("time", [1, 2])
        def test_auth(pgauthkit_auth, time):
            link = pgauthkit_auth.request_magic_link("ada@example.com")
            assert pgauthkit_auth.verify_magic_link(link.token.reveal()).created

        def test_session(pgauthkit_session, pgauthkit_engine):
            pgauthkit_session.add(User(email="ada@example.com"))
            pgauthkit_session.commit()
            with pgauthkit_engine.connect() as other:
                assert other.scalar(sa.select(sa.func.count()).select_from(User)) == 0

        def test_empty(pgauthkit_empty_url):
            engine = create_engine(pgauthkit_empty_url)
            assert sa.inspect(engine).get_schema_names() == ["information_schema", "public"]
            engine.dispose()
        """
    )
    pytester.runpytest_subprocess(*QUIET, server_option).assert_outcomes(passed=4)


def test_a_replica_lags_as_the_test_says(pytester: pytest.Pytester, server_option: str) -> None:
    """What a test writes is on the replica, of the version asked for, once it has caught up, and not while paused."""
    pytester.makepyfile(
        """
        import pytest
        import sqlalchemy as sa
        from pgauthkit.models import User

        def count(engine):
            with engine.connect() as connection:
                assert connection.dialect.server_version_info[0] == 18
                return connection.scalar(sa.select(sa.func.count()).select_from(User))

        def test_paused(pgauthkit_make_user, pgauthkit_replica):
            pgauthkit_replica.pause()
            pgauthkit_make_user("ada@example.com")
            assert count(pgauthkit_replica.engine) == 0

        @pytest.mark.parametrize("time", [1, 2])
        def test_caught_up(pgauthkit_replica_engine, pgauthkit_make_user, pgauthkit_replica, time):
            pgauthkit_make_user("ada@example.com")
            pgauthkit_replica.catch_up()
            assert count(pgauthkit_replica_engine) == 1
        """
    )
    pytester.runpytest_subprocess(*QUIET, server_option, "--pgauthkit-major=18").assert_outcomes(passed=3)


def test_the_clock_moves_when_told(pytester: pytest.Pytester, server_option: str) -> None:
    """Both services follow the clock: a link that was good is over when the clock has moved past its time."""
    pytester.makepyfile(
        """
        import asyncio
        from datetime import timedelta
        import pytest
        from pgauthkit.errors import TokenExpiredError

        def test_sync(pgauthkit_auth, pgauthkit_clock):
            token = pgauthkit_auth.request_magic_link("ada@example.com").token.reveal()
            pgauthkit_clock.move(timedelta(minutes=10))
            with pytest.raises(TokenExpiredError):
                pgauthkit_auth.verify_magic_link(token)

        def test_async(pgauthkit_async_auth, pgauthkit_clock):
            async def story():
                token = (await pgauthkit_async_auth.request_magic_link("ada@example.com")).token.reveal()
                pgauthkit_clock.move(timedelta(minutes=10))
                with pytest.raises(TokenExpiredError):
                    await pgauthkit_async_auth.verify_magic_link(token)

            asyncio.run(story())
        """
    )
    pytester.runpytest_subprocess(*QUIET, server_option).assert_outcomes(passed=2)


def test_a_server_that_runs_already_is_left_as_it_was(pytester: pytest.Pytester) -> None:
    """On the server of `--pgauthkit-url` neither a database nor the template stays behind."""
    pytester.makepyfile("def test_it(pgauthkit_url): assert pgauthkit_url")
    with TestServer(backend="embedded") as server:
        before = databases(server)
        option = f"--pgauthkit-url={server.url('postgres')}"
        pytester.runpytest_subprocess(*QUIET, option).assert_outcomes(passed=1)
        assert databases(server) == before


def test_the_embedded_server_has_the_version_that_is_asked_for(pytester: pytest.Pytester) -> None:
    """`--pgauthkit-major=18` starts PostgreSQL 18."""
    pytester.makepyfile(
        """
        def test_version(pgauthkit_engine):
            with pgauthkit_engine.connect() as connection:
                assert connection.dialect.server_version_info[0] == 18
        """
    )
    pytester.runpytest_subprocess(*QUIET, "--pgauthkit-backend=embedded", "--pgauthkit-major=18").assert_outcomes(
        passed=1
    )


def test_an_unused_plugin_costs_nothing(pytester: pytest.Pytester) -> None:
    """Where no fixture is used, of pgauthkit only the plugin is imported, and nothing that it stands on."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_imported():
            heavy = {"sqlalchemy", "psycopg", "alembic", "argon2", "attrs", "hypothesis", "testcontainers", "asyncio"}
            assert heavy & set(sys.modules) == set()
            ours = {name for name in sys.modules if name.startswith("pgauthkit")}
            assert ours == {"pgauthkit", "pgauthkit.lazy", "pgauthkit.testing", "pgauthkit.testing.plugin"}
        """
    )
    others = [
        f"-pno:{name}"
        for name in ("pytest_alembic", "anyio", "asyncio", "hypothesispytest", "typeguard", "xdist", "randomly")
    ]
    pytester.runpytest_subprocess(*others).assert_outcomes(passed=1)


def test_without_a_server_the_suite_fails_and_says_why(pytester: pytest.Pytester) -> None:
    """A server that cannot be reached is an error with the reason, and nothing is skipped."""
    pytester.makepyfile("def test_it(pgauthkit_url): pass")
    result = pytester.runpytest_subprocess("--pgauthkit-url=postgresql://nobody@127.0.0.1:1/none")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Nothing listens there*"])


def test_workers_share_one_server_that_is_started_when_wanted(pytester: pytest.Pytester) -> None:
    """Under pytest-xdist all workers ask the controller, so one server is started, and a template is made once."""
    pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.parametrize("time", range(8))
        def test_it(pgauthkit_sign_in, pgauthkit_server, time):
            assert pgauthkit_sign_in("ada@example.com").user.email == "ada@example.com"
            with open(os.environ["SEEN"], "a") as seen:
                print(pgauthkit_server.template, pgauthkit_server.url("postgres"), file=seen)
        """
    )
    seen = pytester.path / "seen"
    pytester._monkeypatch.setenv("SEEN", str(seen))
    pytester.runpytest_subprocess(*QUIET, "-p", "xdist", "-n", "4", "--pgauthkit-backend=embedded").assert_outcomes(
        passed=8
    )
    assert (len(seen.read_text().splitlines()), len(set(seen.read_text().splitlines()))) == (8, 1)


def test_workers_that_want_no_server_start_none(pytester: pytest.Pytester) -> None:
    """Under pytest-xdist a run without our fixtures starts nothing, though the server could not be reached."""
    pytester.makepyfile("def test_it(): pass")
    wrong = "--pgauthkit-url=postgresql://nobody@127.0.0.1:1/none"
    pytester.runpytest_subprocess(*QUIET, "-p", "xdist", "-n", "2", wrong).assert_outcomes(passed=1)


def test_runs_at_the_same_time_do_not_meet(pytester: pytest.Pytester, server_option: str) -> None:
    """Two runs on one server at once, each with two workers, pass, and leave nothing."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("time", range(6))
        def test_it(pgauthkit_auth, time):
            link = pgauthkit_auth.request_magic_link("ada@example.com")
            assert pgauthkit_auth.verify_magic_link(link.token.reveal()).created
        """
    )
    command = [sys.executable, "-m", "pytest", *QUIET, "-p", "xdist", "-q", "-n", "2", server_option]
    environment = untraced()
    runs = [
        subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    for run in runs:
        assert "6 passed" in run.communicate()[0]


ASYNC = """
{head}
async def test_it(pgauthkit_async_auth, pgauthkit_async_engine, pgauthkit_sign_in):
    link = await pgauthkit_async_auth.request_magic_link("ada@example.com")
    signed_in = await pgauthkit_async_auth.verify_magic_link(link.token.reveal())
    token = pgauthkit_sign_in("ada@example.com").tokens.access_token.reveal()
    assert (await pgauthkit_async_auth.authenticate(token)).user_id == signed_in.user.user_id
    async with pgauthkit_async_engine.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")

{head}
async def test_again(pgauthkit_async_auth):
    assert (await pgauthkit_async_auth.request_magic_link("ada@example.com")).should_send
"""
STRICT = "import pytest\n@pytest.mark.asyncio"
MODULE = 'import pytest\n@pytest.mark.asyncio(loop_scope="module")'
ANYIO = 'import pytest\n@pytest.mark.anyio\n@pytest.mark.parametrize("anyio_backend", ["asyncio"])'


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("", ["-p", "asyncio", "-o", "asyncio_mode=auto"]),
        (STRICT, ["-p", "asyncio", "-o", "asyncio_mode=strict"]),
        (MODULE, ["-p", "asyncio", "-o", "asyncio_mode=strict"]),
        (ANYIO, ["-p", "anyio"]),
    ],
    ids=["pytest-asyncio auto", "pytest-asyncio strict", "pytest-asyncio one loop", "anyio"],
)
def test_async_fixtures_work_whatever_runs_the_loop(
    pytester: pytest.Pytester, server_option: str, head: str, options: list[str]
) -> None:
    """Async engine and service serve tests of pytest-asyncio, in both its modes, and of anyio."""
    pytester.makepyfile(ASYNC.format(head=head))
    loop = ["-o", "asyncio_default_fixture_loop_scope=function"] if "asyncio" in options else []
    pytester.runpytest_subprocess(*QUIET, *options, *loop, server_option).assert_outcomes(passed=2)


def test_a_session_alone_makes_no_database(pytester: pytest.Pytester, server_option: str) -> None:
    """Tests with the session alone share one database; with another fixture, the session is on that one's."""
    pytester.makepyfile(
        """
        import pytest
        import sqlalchemy as sa
        from pgauthkit.models import User

        ROWS = sa.select(sa.func.count()).select_from(User)
        NAME = sa.text("SELECT current_database()")
        names = set()

        @pytest.mark.parametrize("time", [1, 2])
        def test_alone(pgauthkit_session, time):
            pgauthkit_session.add(User(email="ada@example.com"))
            pgauthkit_session.commit()
            assert pgauthkit_session.scalar(ROWS) == 1
            names.add(pgauthkit_session.scalar(NAME))
            assert len(names) == 1

        def test_with_another(pgauthkit_session, pgauthkit_make_user, pgauthkit_engine):
            pgauthkit_make_user()
            assert pgauthkit_session.scalar(ROWS) == 1
            assert pgauthkit_session.scalar(NAME) == pgauthkit_engine.url.database
        """
    )
    pytester.runpytest_subprocess(*QUIET, server_option).assert_outcomes(passed=3)


class TestSettings:
    def test_a_file_may_have_them(self, pytester: pytest.Pytester, pgauthkit_server: TestServer) -> None:
        """What the command line does not say, the file of settings does."""
        pytester.makeini(f"[pytest]\npgauthkit_url = {pgauthkit_server.url('postgres')}\n")
        pytester.makepyfile(
            """
            import os

            def test_it(pgauthkit_url, pgauthkit_server):
                assert pgauthkit_server.url("x") == os.environ["EXPECTED"]
            """
        )
        pytester._monkeypatch.setenv("EXPECTED", pgauthkit_server.url("x"))
        pytester.runpytest_subprocess(*QUIET).assert_outcomes(passed=1)

    def test_the_command_line_goes_before_a_file(self, pytester: pytest.Pytester, server_option: str) -> None:
        """A URL on the command line beats the backend of a file, and a backend there beats the URL of a file."""
        pytester.makepyfile("def test_it(pgauthkit_url): pass")
        pytester.makeini("[pytest]\npgauthkit_backend = container\n")
        pytester.runpytest_subprocess(*QUIET, server_option).assert_outcomes(passed=1)
        pytester.makeini("[pytest]\npgauthkit_url = postgresql://nobody@127.0.0.1:1/none\n")
        pytester.runpytest_subprocess(*QUIET, "--pgauthkit-backend=embedded").assert_outcomes(passed=1)

    def test_nonsense_is_refused(self, pytester: pytest.Pytester) -> None:
        """A version that is no number, and a backend that does not exist, are errors with the reason."""
        pytester.makepyfile("def test_it(pgauthkit_url): pass")
        for option, reason in [("major=new", "*pgauthkit_major must be a number, not new*"), ("backend=x", "*not x.*")]:
            result = pytester.runpytest_subprocess(*QUIET, f"--pgauthkit-{option}")
            result.assert_outcomes(errors=1)
            result.stdout.fnmatch_lines([reason])

    @pytest.mark.parametrize(("wanted", "tables"), [("true", 1), ("false", 0)])
    def test_the_project_s_migrations_are_applied(
        self, pytester: pytest.Pytester, server_option: str, wanted: str, tables: int
    ) -> None:
        """An `alembic.ini` beside the tests is of the template, unless the settings say no."""
        pytester.makeini(f"[pytest]\npgauthkit_host_migrations = {wanted}\n")
        (pytester.path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
        (pytester.mkdir("migrations") / "versions").mkdir()
        (pytester.path / "migrations/env.py").write_text(
            "import sqlalchemy as sa\n"
            "from pgauthkit.migrations.host import run_migrations\n"
            "run_migrations(sa.MetaData())\n"
        )
        (pytester.path / "migrations/versions/a1.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = 'a1', None\n"
            "def upgrade():\n    op.create_table('posts', sa.Column('id', sa.Integer))\n"
        )
        pytester.makepyfile(
            f"""
            import sqlalchemy as sa

            def test_it(pgauthkit_engine):
                assert sa.inspect(pgauthkit_engine).get_table_names().count("posts") == {tables}
            """
        )
        pytester.runpytest_subprocess(*QUIET, server_option).assert_outcomes(passed=1)
