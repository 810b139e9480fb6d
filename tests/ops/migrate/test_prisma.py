"""Adopting the users of a database that the Prisma schema of the guide has made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine

from pgauthkit import AuthConfig, AuthService
from pgauthkit.errors import BaselineError, PendingMigrationsError
from pgauthkit.ops.migrate import adopt_prisma, plan_adoption
from pgauthkit.ops.migrate.prisma import Adoption, Merged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgauthkit.testing import TestServer

ADVICE = "name a column that has one of them, or none, for everybody to be a USER"
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

    assert (refused.id, refused.reason) == ("c1", f"The role EDITOR is none of USER, ADMIN: {ADVICE}.")


def test_not_ours_yet(pgauthkit_empty_url: str) -> None:
    """Without our tables the deployment comes first."""
    with pytest.raises(PendingMigrationsError):
        adopt_prisma(pgauthkit_empty_url)


@pytest.mark.parametrize(
    ("made", "options", "sentence"),
    [
        ("SELECT", {}, "There is no table User, users, user or Users in the schema public: say which it is, --table"),
        ('CREATE TABLE "User" (); CREATE TABLE users ()', {}, "There is the tables User, users in the schema public"),
        ("SELECT", {"table": "people"}, "There is no table people in the schema public"),
        ('CREATE TABLE "User" (id int)', {}, "User has no column for email: give --column email=NAME"),
        (
            'CREATE TABLE "User" (id int)',
            {"columns": {"mail": "id"}},
            "Our table of users has no column mail; it has id,",
        ),
        ('CREATE TABLE "User" (id int)', {"columns": {"email": "mail"}}, "There is no column mail in User; it has id"),
        ("CREATE TABLE users (id bytea, email text)", {}, "The column id is of type BYTEA, which is no type of ids"),
        (
            "CREATE TABLE users AS SELECT 1 AS id, g::text AS email FROM generate_series(1, 2) g",
            {},
            "identifies nobody",
        ),
        (
            "CREATE TABLE users (id int, email text, is_active int)",
            {},
            "is_active is of type INTEGER, and is_active is a",
        ),
    ],
)
def test_not_prisma(made: str, options: dict[str, Any], sentence: str, pgauthkit_url: str) -> None:
    """What cannot be read is refused with what to give, before anybody is taken."""
    run(pgauthkit_url, made)

    with pytest.raises(BaselineError, match=sentence):
        adopt_prisma(pgauthkit_url, **options)


# Tables as applications on Prisma have them: by an enum and integers, mapped to snake_case, and with UUIDs alone.
BY_NUMBER = """
    CREATE TYPE role AS ENUM ('user', 'admin', 'owner');
    CREATE TABLE users (id serial PRIMARY KEY, email text, role role, joined timestamp(3), phone int, state role);
    CREATE TABLE posts (id int PRIMARY KEY, "Author" int NOT NULL REFERENCES users ON DELETE CASCADE, no int UNIQUE,
        CONSTRAINT "By No" FOREIGN KEY (no) REFERENCES posts (no));
    INSERT INTO users (email, role, joined, phone, state) VALUES
        ('a@example.com', 'admin', '2026-01-01', 7, 'owner'), (NULL, 'user', NULL, NULL, NULL),
        ('c@example.com', NULL, NULL, NULL, NULL), ('d@example.com', 'owner', NULL, NULL, NULL),
        ('A@example.com', 'user', NULL, NULL, NULL);
    INSERT INTO posts VALUES (1, 1, 1), (2, 3, 2);
"""
MAPPED = """
    CREATE TABLE users (id text PRIMARY KEY, email text UNIQUE NOT NULL, is_active boolean,
        created_at timestamp(3) NOT NULL, last_login_at timestamp(3));
    CREATE TABLE posts (id int PRIMARY KEY, author_id text REFERENCES users ON UPDATE CASCADE);
    INSERT INTO users VALUES ('u1', 'a@example.com', false, '2026-01-01', '2026-01-02');
    INSERT INTO users VALUES ('u2', 'b@example.com', NULL, '2026-01-03', NULL);
    INSERT INTO posts VALUES (1, 'u1');
"""
BARE = """
    CREATE TABLE "Person" (key uuid, mail varchar(90));
    INSERT INTO "Person" SELECT md5(n::text)::uuid, 'u' || n || '@example.com' FROM generate_series(1, 5) n;
"""


def adopted(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT id, email, role, is_active, last_login_at, created_at, updated_at"
            " FROM pgauthkit.users ORDER BY email"
        ).fetchall()


def test_ids_that_are_numbers(pgauthkit_url: str) -> None:
    """Numbers become text, roles are read in any case, no address is refused; the plan says it, and how keys follow."""
    run(pgauthkit_url, BY_NUMBER)
    columns = {"created_at": "joined", "last_login_at": ""}

    plan = plan_adoption(pgauthkit_url, columns=columns)
    assert adopted(pgauthkit_url) == []
    done = adopt_prisma(pgauthkit_url, columns=columns, batch_size=2)

    assert plan.outcome == done
    assert (plan.table, plan.columns["id"], plan.columns["role"]) == ("public.users", "id (INTEGER) as text", "role")
    assert (plan.columns["created_at"], plan.columns["is_active"]) == ("joined, in UTC", "true for everybody")
    assert (done.taken, done.merged) == (2, (Merged(id="5", kept="1", email="a@example.com"),))
    assert [(one.id, one.reason) for one in done.refused] == [
        ("2", "There is no address."),
        ("4", f"The role OWNER is none of USER, ADMIN: {ADVICE}."),
    ]
    first, second = adopted(pgauthkit_url)
    joined = datetime(2026, 1, 1, tzinfo=UTC)
    assert first == ("1", "a@example.com", "ADMIN", True, None, joined, joined)
    assert (second[2], second[5]) == ("USER", second[6])
    assert plan_adoption(pgauthkit_url, columns=columns).outcome.present == 2
    run(pgauthkit_url, "".join(plan.moves))
    run(pgauthkit_url, "DELETE FROM pgauthkit.users WHERE id = '3'")
    with psycopg.connect(pgauthkit_url) as connection:
        assert connection.execute('SELECT id, "Author" FROM posts').fetchall() == [(1, "1")]


def test_mapped_names(pgauthkit_url: str) -> None:
    """A table in snake_case is found by its name and its columns; keys of text stay as they are, and lead to ours."""
    run(pgauthkit_url, MAPPED)

    plan = plan_adoption(pgauthkit_url)
    assert adopt_prisma(pgauthkit_url) == plan.outcome == Adoption(taken=2)

    first, second = adopted(pgauthkit_url)
    assert first[2:6] == ("USER", False, datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    assert second[2:5] == ("USER", True, None)
    assert plan.columns["updated_at"] == "as created_at"
    assert not [statement for statement in plan.moves if "ALTER COLUMN" in statement]
    assert "REFERENCES pgauthkit.users (id) ON UPDATE CASCADE NOT VALID;" in plan.moves[1]
    run(pgauthkit_url, "".join(plan.moves))


def test_an_id_and_an_address(pgauthkit_url: str) -> None:
    """An id and an address are enough, under whatever names, in batches by UUID."""
    run(pgauthkit_url, BARE)
    names: dict[str, Any] = {"table": "Person", "columns": {"id": "key", "email": "mail"}}

    plan = plan_adoption(pgauthkit_url, **names)
    assert adopt_prisma(pgauthkit_url, **names, batch_size=2) == plan.outcome == Adoption(taken=5)

    assert {row[:4] for row in adopted(pgauthkit_url)} >= {
        ("c4ca4238-a0b9-2382-0dcc-509a6f75849b", "u1@example.com", "USER", True)
    }
    assert (plan.columns["id"], plan.moves) == ("key (UUID) as text", ())


def test_columns_of_their_own(pgauthkit_url: str) -> None:
    """Columns that the application has on our users are filled too, and one that must be has to be given."""
    run(pgauthkit_url, BY_NUMBER)
    run(pgauthkit_url, "ALTER TABLE pgauthkit.users ADD phone text, ADD mood role, ADD since timestamptz, ADD n int")
    run(pgauthkit_url, "ALTER TABLE pgauthkit.users ADD no int NOT NULL")
    columns = {"phone": "phone", "mood": "state", "since": "joined", "created_at": "", "n": ""}

    with pytest.raises(BaselineError, match="no column for no: give --column no=NAME"):
        adopt_prisma(pgauthkit_url, columns=columns)
    adopt_prisma(pgauthkit_url, columns={**columns, "no": "id"})

    with psycopg.connect(pgauthkit_url) as connection:
        found = connection.execute("SELECT phone, mood, since, n, no FROM pgauthkit.users ORDER BY id").fetchone()
    assert found == ("7", "owner", datetime(2026, 1, 1, tzinfo=UTC), None, 1)
