"""Adopting the users of a database that the Prisma schema of the guide has made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine

from pgauthkit import AuthConfig, AuthService
from pgauthkit.errors import BaselineError, PendingMigrationsError
from pgauthkit.ops.migrate.prisma import Adoption, Merged, adopt_prisma

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgauthkit.testing import TestServer

GUIDE = """
    CREATE TYPE "UserRole" AS ENUM ('USER', 'ADMIN');
    CREATE TABLE "User" (
        id text PRIMARY KEY, email text NOT NULL, role "UserRole" NOT NULL DEFAULT 'USER',
        "isActive" boolean NOT NULL DEFAULT true, "lastLoginAt" timestamp(3),
        "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" timestamp(3) NOT NULL
    );
    CREATE UNIQUE INDEX "User_email_key" ON "User" (email);
    CREATE TABLE "MagicLink" (
        id text PRIMARY KEY, token text NOT NULL, email text NOT NULL, "expiresAt" timestamp(3) NOT NULL,
        "usedAt" timestamp(3), "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
        "userId" text REFERENCES "User" (id) ON DELETE SET NULL ON UPDATE CASCADE
    );
    CREATE TABLE "Session" (
        id text PRIMARY KEY, "accessToken" text NOT NULL, "refreshToken" text NOT NULL,
        "expiresAt" timestamp(3) NOT NULL, "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
        "userId" text NOT NULL REFERENCES "User" (id) ON DELETE CASCADE ON UPDATE CASCADE
    );
"""
MANY = """
    INSERT INTO "User" (id, email, "updatedAt")
    SELECT 'c' || lpad(n::text, 8, '0'), 'user' || n || '@example.com', now() FROM generate_series(1, 100000) n
"""


@pytest.fixture
def url(pgauthkit_url: str) -> str:
    """A database with the guide's tables and ours."""
    run(pgauthkit_url, GUIDE)
    run(
        pgauthkit_url,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Tokyo'); END $$",
    )
    return pgauthkit_url


def run(url: str, statement: str | sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode() if isinstance(statement, str) else statement)


def add(url: str, id_: str, email: str, more: str = "") -> None:
    given = dict(pair.split("=") for pair in more.split(";") if pair)
    values = {"id": id_, "email": email, "updatedAt": "2026-01-02 03:04:05.678", **given}
    statement = sql.SQL('INSERT INTO "User" ({}) VALUES ({})').format(
        sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(map(sql.Literal, values.values()))
    )
    run(url, statement)


def test_values(url: str) -> None:
    """A user keeps the id, the role, the state and the times, which are read as UTC; the address is canonical."""
    add(
        url,
        "c1",
        "Ada@Example.com",
        "role=ADMIN;isActive=false;createdAt=2026-01-01 00:00;lastLoginAt=2026-01-02 00:00",
    )

    done = adopt_prisma(url)

    assert Adoption(taken=1) == done
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT * FROM pgauthkit.users").fetchone()
    assert row is not None
    times = (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    assert row[:6] == ("c1", "ada@example.com", "ADMIN", False, *times)
    assert row[6] == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_instants(url: str) -> None:
    """A time with a time zone is an instant already, wherever the database is; one without is UTC beside it."""
    run(url, 'ALTER TABLE "User" ALTER "createdAt" TYPE timestamptz(3) USING "createdAt" AT TIME ZONE \'UTC\'')
    add(url, "c1", "ada@example.com", "createdAt=2026-01-01 00:00Z;lastLoginAt=2026-01-01 00:00")

    adopt_prisma(url)

    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT created_at, last_login_at FROM pgauthkit.users").fetchone()
    assert row == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("kind", ["date", "bigint", "text"])
def test_no_instant(url: str, kind: str) -> None:
    """A column that is no time is refused before anybody is taken, as each reading of it would be a guess."""
    run(url, f'ALTER TABLE "User" DROP "lastLoginAt", ADD "lastLoginAt" {kind}')
    add(url, "c1", "ada@example.com")

    with pytest.raises(BaselineError, match=f"The column lastLoginAt .* is of type {kind.upper()}"):
        adopt_prisma(url)

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pgauthkit.users").fetchone() == (0,)


@pytest.fixture(scope="module")
def hundred_thousand(pgauthkit_server: TestServer) -> Iterator[tuple[str, Adoption, list[int]]]:
    """A database with 100,000 users adopted, one who shares an address, and one without any; and what was told."""
    with pgauthkit_server.database() as url:
        run(url, GUIDE)
        run(url, MANY)
        add(url, "c9a", "USER7@example.com")
        add(url, "c9b", "no address")
        seen: list[int] = []
        done = adopt_prisma(url, on_progress=lambda sofar: seen.append(sofar.total))
        yield url, done, seen


def test_all_accounted_for(hundred_thousand: tuple[str, Adoption, list[int]]) -> None:
    """Of 100,000 users every one is taken, present, merged or refused, also when it is run again."""
    url, done, seen = hundred_thousand

    assert (done.taken, done.present, done.total) == (100_000, 0, 100_002)
    assert done.merged == (Merged(id="c9a", kept="c00000007", email="user7@example.com"),)
    assert [refused.id for refused in done.refused] == ["c9b"]
    assert "no address" not in done.refused[0].reason
    assert seen == [*range(2000, 100_001, 2000), 100_002]
    again = adopt_prisma(url, batch_size=10_000)
    assert (again.taken, again.present, len(again.merged), len(again.refused)) == (0, 100_000, 1, 1)


@pytest.mark.torture(1, 50)
def test_each_signs_in(hundred_thousand: tuple[str, Adoption, list[int]], torture_round: int) -> None:
    """Every adopted user signs in to the account with the old id: all 100,000 in the long run, 2,000 in the short."""
    engine = create_engine(hundred_thousand[0])
    auth = AuthService(engine, AuthConfig(rate_limits=None))

    for number in range(torture_round + 1, 100_001, 50):
        link = auth.request_magic_link(f"user{number}@EXAMPLE.com")
        signed_in = auth.verify_magic_link(link.token.reveal())

        assert (signed_in.user.user_id, signed_in.created) == (f"c{number:08}", False)
    engine.dispose()


def test_sign_in(url: str) -> None:
    """An adopted user signs in to the account with the old id."""
    add(url, "c1", "Ada@Example.com")
    adopt_prisma(url)
    engine = create_engine(url)
    auth = AuthService(engine, AuthConfig())

    link = auth.request_magic_link("ada@example.com")
    signed_in = auth.verify_magic_link(link.token.reveal())

    assert (signed_in.user.user_id, signed_in.created) == ("c1", False)
    engine.dispose()


def test_old_tables(url: str) -> None:
    """The old tables stay as they are."""
    add(url, "c1", "Ada@Example.com")
    with psycopg.connect(url) as connection:
        before = connection.execute('SELECT * FROM "User"').fetchall()
        adopt_prisma(url)

        assert before == connection.execute('SELECT * FROM "User"').fetchall()


def test_changed_since(url: str) -> None:
    """Whoever was taken before is left as is; whoever's address somebody has by now is told."""
    add(url, "c1", "ada@example.com")
    adopt_prisma(url)
    run(url, "UPDATE pgauthkit.users SET email = 'countess@example.com'")
    run(url, "INSERT INTO pgauthkit.users (id, email) VALUES ('new', 'bob@example.com')")
    add(url, "c2", "bob@example.com")

    done = adopt_prisma(url)

    assert Adoption(present=1, merged=(Merged(id="c2", kept="new", email="bob@example.com"),)) == done


def test_other_roles(url: str) -> None:
    """A role that we do not have is told, and its user not taken."""
    run(url, "ALTER TYPE \"UserRole\" ADD VALUE 'EDITOR'")
    add(url, "c1", "ada@example.com", "role=EDITOR")

    (refused,) = adopt_prisma(url).refused

    assert (refused.id, refused.reason) == ("c1", "The role EDITOR is none of USER, ADMIN.")


def test_not_ours_yet(pgauthkit_empty_url: str) -> None:
    """Without our tables the deployment comes first."""
    with pytest.raises(PendingMigrationsError):
        adopt_prisma(pgauthkit_empty_url)


def test_not_prisma(pgauthkit_url: str) -> None:
    """Without Prisma's table, or with another one of its name, it says what is missing."""
    with pytest.raises(BaselineError, match='There is no table "User" of schema public'):
        adopt_prisma(pgauthkit_url)
    run(pgauthkit_url, 'CREATE TABLE "User" (id text, email text, role text, "isActive" bool, "createdAt" timestamp)')
    with pytest.raises(BaselineError, match="no column lastLoginAt, updatedAt in the table"):
        adopt_prisma(pgauthkit_url)
