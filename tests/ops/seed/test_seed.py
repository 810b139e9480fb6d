"""`seed`: one function in one transaction, with the session that it wants, or nothing of it."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncSession

from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.errors import ConfigError, DatabaseUnavailableError, InvalidEmailError, PendingMigrationsError, SeedError
from pgauthkit.models import User, UserRole
from pgauthkit.ops.migrate.scaffold import scaffold
from pgauthkit.ops.revisions.tracks import host_track
from pgauthkit.ops.seed import seed
from pgauthkit.seeding import ensure_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ops.conftest import Database

USERS = "SELECT email, role FROM pgauthkit.users ORDER BY 1"
ADMIN = ("admin@example.com", "ADMIN")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Writes the application's module, and returns the name of its function `main`."""
    monkeypatch.syspath_prepend(tmp_path)

    def to(source: str) -> str:
        head = "from pgauthkit.models import UserRole\nfrom pgauthkit.seeding import ensure_user\n"
        (tmp_path / "blog_seed.py").write_text(head + textwrap.dedent(source))
        sys.modules.pop("blog_seed", None)
        return "blog_seed:main"

    yield to
    sys.modules.pop("blog_seed", None)


SYNC = """
def main(db, email="admin@example.com"):
    ensure_user(db, email, role=UserRole.ADMIN)
"""
ASYNC = """
async def main(db, email="admin@example.com"):
    await ensure_user(db, email, role=UserRole.ADMIN)
"""
# A decorated function, say, is no coroutine function any more.
ANNOTATED = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
def main(db: "AsyncSession", email: str = "admin@example.com"):
    return ensure_user(db, email, role=UserRole.ADMIN)
"""


@pytest.mark.parametrize("source", [SYNC, ASYNC, ANNOTATED])
class TestSessions:
    def test_runs(self, source: str, database: Database, write: Callable[[str], str]) -> None:
        """It gets the session that it wants, its work is committed, and it may be run again."""
        name = write(source)

        for _ in range(2):
            done = seed(database.url, name)

        assert (done.function, done.arguments) == (name, ())
        assert done.duration.total_seconds() > 0
        assert database.ask(USERS) == [ADMIN]

    def test_arguments(self, source: str, database: Database, write: Callable[[str], str]) -> None:
        """Arguments are passed on."""
        done = seed(database.url, write(source), ["grace@example.com"])

        assert done.arguments == ("grace@example.com",)
        assert database.ask(USERS) == [("grace@example.com", "ADMIN")]


@pytest.mark.parametrize("kind", ["engine", "async engine"])
@pytest.mark.parametrize("source", [SYNC, ASYNC])
def test_engines(kind: str, source: str, database: Database, write: Callable[[str], str]) -> None:
    """A target may be an engine of either kind, whichever session the seed wants."""
    engine = create_engine(database.url) if kind == "engine" else create_async_engine(database.url)

    seed(engine, write(source))

    engine.dispose() if isinstance(engine, sa.Engine) else asyncio.run(engine.dispose())
    assert database.ask(USERS) == [ADMIN]


def test_an_async_function_that_awaits_nothing(database: Database, write: Callable[[str], str]) -> None:
    """A function that asks for an async session need not be a coroutine."""
    seed(database.url, write("def main(db: 'AsyncSession'):\n    db.sync_session.info['seen'] = True\n"))

    assert database.ask(USERS) == []


class TestFails:
    @pytest.mark.parametrize(
        ("body", "why"),
        [
            ("raise ValueError('No posts.')", r"line 6\): ValueError: No posts\. Nothing of it was kept"),
            ("raise SystemExit(0)", r"line 6\): SystemExit: 0"),
            ("db.execute(text('INSERT INTO pgauthkit.users (id) VALUES (7)'))", r"IntegrityError: null value .*23502"),
            ("db.get(int, 1)", "failed .*: UnmappedInstanceError|NoInspectionAvailable"),
            ("db.commit(); raise ValueError", r"ValueError: \. Nothing"),
        ],
    )
    @pytest.mark.parametrize("kind", ["def", "async def"])
    def test_nothing_is_kept(
        self, kind: str, body: str, why: str, database: Database, write: Callable[[str], str]
    ) -> None:
        """What it raises is told with its line, what it has done is undone, also what it has committed itself."""
        wait = "await " if kind == "async def" else ""
        name = write(f"""
            from sqlalchemy import text
            {kind} main(db):
                {wait}ensure_user(db, "admin@example.com"); {body.replace("db.", f"{wait}db.")}
            """)

        with pytest.raises(SeedError, match=why) as caught:
            seed(database.url, name)

        assert caught.value.__cause__ is not None
        assert database.ask(USERS) == []

    def test_no_row_is_told(self, database: Database, write: Callable[[str], str]) -> None:
        """What the server says of a row is not in the message."""
        name = write("""
            from sqlalchemy import text
            def main(db):
                for id in "ab":
                    db.execute(text(f"INSERT INTO pgauthkit.users (id, email) VALUES ('{id}', 'a@example.com')"))
            """)

        with pytest.raises(SeedError, match="duplicate key") as caught:
            seed(database.url, name)

        assert "a@example.com" not in str(caught.value)

    def test_lost_connection(self, database: Database, write: Callable[[str], str]) -> None:
        """Where the server is lost on the way, that is what is told."""
        name = write("""
            from sqlalchemy import text
            def main(db):
                db.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            """)

        with pytest.raises(DatabaseUnavailableError):
            seed(database.url, name)

    def test_callable_without_source(self, database: Database) -> None:
        """A function without a file of its own is told without a line."""
        with pytest.raises(SeedError, match=r"The seed operator:truediv failed: TypeError"):
            seed(database.url, "operator:truediv", ["1"])


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("blog_seed", "it looks like blog.seed:main"),
            ("blog_seed:", "it looks like blog.seed:main"),
            ("blog_none:main", "blog_none:main cannot be imported: No module named"),
            ("blog_seed:none", "blog_seed:none cannot be imported: .*no attribute 'none'"),
            ("blog_seed:ADMIN", "does not take a session and 0 arguments"),
        ],
    )
    def test_not_found(self, name: str, why: str, database: Database, write: Callable[[str], str]) -> None:
        """A function that is not there is told."""
        write(SYNC + "\nADMIN = 1\n")

        with pytest.raises(ConfigError, match=why):
            seed(database.url, name)

    def test_arguments(self, database: Database, write: Callable[[str], str]) -> None:
        """Arguments that it does not take are refused before anything is done."""
        with pytest.raises(ConfigError, match="does not take a session and 2 arguments: too many positional"):
            seed(database.url, write(SYNC), ["a", "b"])

    def test_pending(self, empty: Database, write: Callable[[str], str]) -> None:
        """While our migrations are pending it is refused."""
        with pytest.raises(PendingMigrationsError, match=r"Revisions are pending: 0001.*migrate deploy"):
            seed(empty.url, write(SYNC))

    def test_pending_of_the_host(self, database: Database, write: Callable[[str], str], tmp_path: Path) -> None:
        """While the application's are pending as well."""
        (tmp_path / "pyproject.toml").touch()
        scaffold(tmp_path, models="pgauthkit.models:Base")
        (tmp_path / "migrations" / "versions" / "posts1.py").write_text(
            "revision = 'posts1'\ndown_revision = None\ndef upgrade(): ...\ndef downgrade(): ...\n"
        )

        with pytest.raises(PendingMigrationsError, match="posts1"):
            seed(database.url, write(SYNC), host=host_track(tmp_path, "migrations"))

        assert database.ask(USERS) == []


class TestEnsureUser:
    def test_upsert(self, database: Database) -> None:
        """A user is made once, and what was decided about them since stays."""
        engine = create_engine(database.url)
        with orm.Session(engine) as db, db.begin():
            first = ensure_user(db, "Admin@Example.com", role=UserRole.ADMIN)
            again = ensure_user(db, "admin@example.com")
            assert (again.id, again.role) == (first.id, UserRole.ADMIN)
            assert ensure_user(db, "ada@example.com").role is UserRole.USER
            with pytest.raises(InvalidEmailError):
                ensure_user(db, "nobody")
        engine.dispose()

        assert database.ask(USERS) == [("ada@example.com", "USER"), ADMIN]

    def test_twin(self, database: Database) -> None:
        """With an async session it is awaited."""

        async def run() -> User:
            engine = create_async_engine(database.url)
            async with AsyncSession(engine, expire_on_commit=False) as db, db.begin():
                user = await ensure_user(db, "admin@example.com", UserRole.ADMIN)
            await engine.dispose()
            return user

        assert asyncio.run(run()).role is UserRole.ADMIN
        assert database.ask(USERS) == [ADMIN]
