"""A database whose settings are not the usual ones: the whole command line and the service, in both coats."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, LiteralString

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql
from sqlalchemy import text
from tests.cli.conftest import forget_blog

from pgauthkit import AsyncAuthService, AuthService
from pgauthkit.cli import main
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.ops.server.presence import database_name

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine
    from tests.cli.conftest import Blog

SETTINGS: Final[dict[str, LiteralString]] = {
    "timezone": "'Asia/Tokyo'",
    "datestyle": "SQL, DMY",
    "intervalstyle": "'sql_standard'",
    "search_path": "elsewhere",
    "bytea_output": "'escape'",
    "default_transaction_isolation": "'serializable'",
}
SEED: Final = """
from pgauthkit.repositories import UserRepository

def main(db):
    UserRepository(db).ensure("ada@example.com")
"""


@pytest.fixture
def elsewhere(new_blog: Blog, tmp_path: Path) -> Blog:
    """An application with a seed, whose database has settings of its own."""
    (tmp_path / "blog" / "seeds.py").write_text(SEED)
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write('seed = "blog.seeds:main"\n')
    run(new_blog, "CREATE SCHEMA elsewhere")
    for name, value in SETTINGS.items():
        run(new_blog, "ALTER DATABASE {} SET {} = " + value, name)
    return new_blog


def run(blog: Blog, statement: LiteralString, *names: str) -> None:
    """Run a statement, the first {} in which is the database's name if there is one."""
    name = database_name(blog.url)
    with psycopg.connect(blog.url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, (name, *names))))


def command(blog: Blog, *arguments: str) -> Result:
    forget_blog()
    return CliRunner().invoke(main, arguments, env={"DATABASE_URL": blog.url})


def sign_in(url: str) -> list[float]:
    """Sign somebody in by both coats, and return for how many seconds each session is."""
    engine, async_engine = create_engine(url), create_async_engine(url)
    auth = AuthService(engine)
    one = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())
    who = [auth.authenticate(one.tokens.access_token.reveal())]

    async def again() -> None:
        auth = AsyncAuthService(async_engine)
        link = await auth.request_magic_link("ada@example.com")
        other = await auth.verify_magic_link(link.token.reveal())
        renewed = await auth.refresh(other.tokens.refresh_token.reveal())
        who.append(await auth.authenticate(renewed.access_token.reveal()))
        await async_engine.dispose()

    asyncio.run(again())
    engine.dispose()
    return [round((one.expires_at - one.authenticated_at).total_seconds()) for one in who]


WRITING: Final = (
    "migrate deploy",
    "migrate rollback -1 --yes --no-backup",
    "migrate resolve --applied {head}",
    "seed",
    "purge",
    "revoke --all",
    "restore {dump} --clean --force {name}",
    "migrate reset --force {name}",
)
READING: Final = (
    "migrate status",
    "migrate sql --lint",
    "migrate new -m Nothing --json",
    "erd --reflect",
    "pull",
    "doctor",
    "backup",
)


def test_every_command(elsewhere: Blog, tmp_path: Path) -> None:
    """Each command does its work, nothing differs, and a session lasts as long as in any other database."""
    first = [command(elsewhere, *words.split()) for words in ("migrate init", "migrate dev -m Posts", "backup")]
    (dump,) = tmp_path.glob("backups/*.dump")
    (revision,) = tmp_path.glob("migrations/versions/*.py")
    names = {"name": database_name(elsewhere.url), "dump": dump, "head": revision.name.split("_")[1]}
    rest = [command(elsewhere, *words.format(**names).split()) for words in (*READING, "migrate drift", *WRITING)]
    lasts = sign_in(elsewhere.url)

    assert [done.stderr for done in (*first, *rest) if done.exit_code] == []
    assert json.loads(rest[2].stdout) == {"written": None, "by_hand": [], "warnings": []}
    assert "No drift" in rest[len(READING)].stdout
    assert lasts == [lasts[0]] * 2


def test_read_only(elsewhere: Blog, tmp_path: Path) -> None:
    """Where transactions only read by default, what reads does its work, and what would write says what to do."""
    command(elsewhere, "migrate", "init")
    command(elsewhere, "migrate", "dev", "-m", "Posts", "--no-seed")
    run(elsewhere, "ALTER DATABASE {} SET default_transaction_read_only = on")

    read = {words: command(elsewhere, *words.split()) for words in READING}
    command(elsewhere, "migrate", "new", "-m", "Pending", "--empty")
    pending = command(elsewhere, "migrate", "deploy")
    next(tmp_path.glob("migrations/versions/*pending.py")).unlink()
    (dump,) = tmp_path.glob("backups/*.dump")
    names = {"name": database_name(elsewhere.url), "dump": dump, "head": "0001"}
    wrote = [command(elsewhere, *words.format(**names).split()) for words in WRITING[1:]]
    with pytest.raises(DatabaseUnavailableError, match="default_transaction_read_only is on"):
        sign_in(elsewhere.url)

    assert [words for words, done in read.items() if done.exit_code] == ["doctor"]
    assert "default_transaction_read_only is on here" in read["doctor"].stdout
    assert "SQLSTATE 25006" in json.loads(read["migrate new -m Nothing --json"].stdout)["by_hand"][0]
    assert [done.exit_code for done in (pending, *wrote)] == [1] * len(WRITING)
    refusal = ("default_transaction_read_only is on", "cannot execute DROP SCHEMA in a read-only transaction")
    assert [done.stderr for done in (pending, *wrote) if not any(words in done.stderr for words in refusal)] == []


def test_styles(elsewhere: Blog) -> None:
    """Times and intervals are read, whatever style the database writes them in, by both coats."""
    query = text("SELECT timestamptz '2026-01-31 00:00Z', interval '1 day 02:00'")
    wanted = (datetime(2026, 1, 31, tzinfo=UTC), timedelta(days=1, hours=2))

    async def ask(engine: AsyncEngine) -> object:
        async with engine.connect() as connection:
            found = (await connection.execute(query)).one()
        await engine.dispose()
        return found

    engine = create_engine(elsewhere.url)
    with engine.connect() as connection:
        assert connection.execute(query).one() == wanted
    engine.dispose()
    assert asyncio.run(ask(create_async_engine(elsewhere.url))) == wanted
