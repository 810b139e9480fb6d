"""The fixtures, as the test suite of another project uses them."""

import psycopg
import pytest

from pgauthkit.testing import TestServer


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
    pytester.runpytest_subprocess("-W", "error", "-p", "no:asyncio").assert_outcomes(passed=1)


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
    pytester.runpytest_subprocess("-W", "error", "-p", "no:asyncio", server_option).assert_outcomes(passed=4)


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
    pytester.runpytest_subprocess("-W", "error", "-p", "no:asyncio", server_option).assert_outcomes(passed=2)


def test_a_server_that_runs_already_is_left_as_it_was(
    pytester: pytest.Pytester, pgauthkit_server: TestServer, server_option: str
) -> None:
    """On the server of `--pgauthkit-url` neither a database nor the template stays behind."""
    before = databases(pgauthkit_server)
    pytester.makepyfile("def test_it(pgauthkit_url): assert pgauthkit_url")
    pytester.runpytest_subprocess(server_option).assert_outcomes(passed=1)
    assert databases(pgauthkit_server) - before == set()


def test_the_embedded_server_has_the_version_that_is_asked_for(pytester: pytest.Pytester) -> None:
    """`--pgauthkit-major=18` starts PostgreSQL 18."""
    pytester.makepyfile(
        """
        def test_version(pgauthkit_engine):
            with pgauthkit_engine.connect() as connection:
                assert connection.dialect.server_version_info[0] == 18
        """
    )
    pytester.runpytest_subprocess("-W", "error", "-p", "no:asyncio", "--pgauthkit-major=18").assert_outcomes(passed=1)


def test_an_unused_plugin_costs_nothing(pytester: pytest.Pytester) -> None:
    """Where no fixture is used, neither SQLAlchemy nor psycopg nor Alembic is imported."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_imported():
            assert {"sqlalchemy", "psycopg", "alembic", "argon2"} & set(sys.modules) == set()
        """
    )
    pytester.runpytest_subprocess("-p", "no:pytest_alembic").assert_outcomes(passed=1)


def test_without_a_server_the_suite_fails_and_says_why(pytester: pytest.Pytester) -> None:
    """A server that cannot be reached is an error with the reason, and nothing is skipped."""
    pytester.makepyfile("def test_it(pgauthkit_url): pass")
    result = pytester.runpytest_subprocess("--pgauthkit-url=postgresql://nobody@127.0.0.1:1/none")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Nothing listens there*"])
