"""What a call reads does not grow with the tables, also where its statements were planned while they were empty.

Nor is a statement that is prepared planned at each call.

PostgreSQL reads a table of few pages as a whole, and a prepared statement goes on to do so while the table grows, until
it is analysed again. Both twins send the same statements, so that one of them is enough here.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Final, LiteralString

import pytest
from sqlalchemy import Engine, text
from tests.integration.conftest import CHEAP_ARGON2

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.models import User
from pgauthkit.repositories import AsyncRepository
from pgauthkit.secret import Secret
from pgauthkit.values import SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Database

    from pgauthkit.testing import TestServer

ROUNDS: Final = 12  # psycopg prepares a statement after 5 calls, and PostgreSQL keeps a plan after 5 more
ENTRIES: Final = 60  # of indexes, which the call with most of them reads: far below the rows of others
TABLES: Final = {"users", "magic_links", "sessions", "devices", "rate_limits"}
# Where each row, or each pending link, is looked at some times: far below a look at all for each, which is 40,000 and
# more. It is 868 as a rule, and 1,012 where a snapshot of somebody else's keeps the entries of versions that are dead.
ALL: Final = 2_000
OF_ALL: Final = {
    *("purge", "revoke_all_sessions", "change_email", "deactivate_user", "activate_user"),
    *("list_invitations", "withdraw_invitation"),
}
OTHERS: Final[LiteralString] = """
    INSERT INTO pgauthkit.users (id, email)
    SELECT 'u' || n, 'u' || n || '@example.net' FROM generate_series(1, 200) AS n;
    INSERT INTO pgauthkit.magic_links (id, token_hash, email, handoff_hash, expires_at)
    SELECT 'm' || n, hash, 'm' || n || '@example.net', hash, now() + interval '1 day'
    FROM generate_series(1, 200) AS n, convert_to('m' || n, 'UTF8') AS hash;
    INSERT INTO pgauthkit.devices (id, token_hash, last_used_at, expires_at, user_id)
    SELECT 'd' || n, convert_to('d' || n, 'UTF8'), now(), now() + interval '1 day', 'u' || n
    FROM generate_series(1, 200) AS n;
    INSERT INTO pgauthkit.sessions (id, selector_hash, access_token_hash, refresh_token_hash, authenticated_at,
      last_used_at, access_expires_at, idle_expires_at, expires_at, user_id)
    SELECT 's' || n, convert_to('s' || n, 'UTF8'), '', '', now(), now(), soon, soon, soon, 'u' || n
    FROM generate_series(1, 200) AS n, (SELECT now() + interval '1 day') AS _ (soon);
    INSERT INTO pgauthkit.rate_limits (key, full_at)
    SELECT convert_to('r' || n, 'UTF8'), now() + interval '1 hour' FROM generate_series(1, 200) AS n
"""
BY_HAND: Final[LiteralString] = """
    ALTER TABLE pgauthkit.users SET (autovacuum_enabled = off);
    ALTER TABLE pgauthkit.magic_links SET (autovacuum_enabled = off);
    ALTER TABLE pgauthkit.sessions SET (autovacuum_enabled = off);
    ALTER TABLE pgauthkit.devices SET (autovacuum_enabled = off);
    ALTER TABLE pgauthkit.rate_limits SET (autovacuum_enabled = off)
"""
MANY_OTHERS: Final[LiteralString] = OTHERS.replace("200", "10000")
# PostgreSQL plans a prepared statement five times, and then keeps a plan, unless those five were much cheaper.
PLANNED_ANEW: Final = "SELECT statement, custom_plans FROM pg_prepared_statements WHERE custom_plans > 5"
PURGE: Final = "DELETE FROM pgauthkit.users; DELETE FROM pgauthkit.magic_links; DELETE FROM pgauthkit.rate_limits"


@pytest.fixture
def database(request: pytest.FixtureRequest, major: int, connect: "Callable[[str], Database]") -> Iterator["Database"]:
    """A database of its own: what PostgreSQL knows of the tables is not left to the tests that went before.

    Nor to autovacuum: its ANALYZE makes the plans anew, and of 200 rows a whole table is rightly read for 100 of them.
    """
    server: TestServer = request.getfixturevalue("pgauthkit_server" if major == 16 else "pg18_server")
    with server.database() as url:
        database = connect(url)
        database.tell(BY_HAND)
        yield database


@pytest.fixture
def engine(pgauthkit_url: str) -> Iterator[Engine]:
    """One connection: it prepares each statement, and keeps the plan."""
    engine = create_engine(pgauthkit_url, pool_size=1, max_overflow=0)
    yield engine
    engine.dispose()


@pytest.fixture
def auth(engine: Engine) -> AuthService:
    return AuthService(engine, AuthConfig(codes=True, argon2=CHEAP_ARGON2))


def shown(secret: Secret | None) -> str:
    assert secret is not None
    return secret.reveal()


def calls(auth: AuthService, number: int) -> Iterator[str]:
    """Call every operation of the service for one person, and give the name of each after it."""
    email, ip = f"ada{number}@example.com", f"203.0.113.{number}"
    link = auth.request_magic_link(email, ip=ip)
    yield "request_magic_link"
    auth.peek_magic_link(link.token.reveal())
    yield "peek_magic_link"
    first = auth.verify_magic_link(link.token.reveal(), ip=ip)
    yield "verify_magic_link"
    link = auth.request_magic_link(email, ip=ip, bind=True, device=first.device.reveal())
    yield "request_magic_link on a device"
    auth.verify_magic_link(link.token.reveal(), binding=shown(link.binding), device=first.device.reveal())
    yield "verify_magic_link on a device"
    link = auth.request_magic_link(email, ip=ip)
    auth.verify_code(link.id, shown(link.code), ip=ip)
    yield "verify_code"
    auth.authenticate(first.tokens.access_token.reveal())
    yield "authenticate"
    tokens = auth.refresh(first.tokens.refresh_token.reveal())
    yield "refresh"
    auth.authenticate(tokens.access_token.reveal())
    yield "authenticate after it"
    link = auth.request_magic_link(email, handoff=True)
    yield "request_magic_link with a handoff"
    auth.approve_magic_link(link.token.reveal(), str(link.match), ip=ip)
    yield "approve_magic_link"
    last = auth.claim_sign_in(shown(link.handoff))
    yield "claim_sign_in"
    yield from calls_on_users(auth, number, email, last)
    auth.sign_out(tokens.access_token.reveal())
    yield "sign_out"
    auth.purge(keep=timedelta(), batch_size=100)
    yield "purge"
    auth.revoke_all_sessions(batch_size=100)
    yield "revoke_all_sessions"


def calls_on_users(auth: AuthService, number: int, email: str, person: SignIn) -> Iterator[str]:
    """Call what needs no token."""
    user_id = person.user.user_id
    auth.list_sessions(user_id)
    yield "list_sessions"
    auth.list_devices(user_id)
    yield "list_devices"
    auth.find_user(email)
    yield "find_user"
    link = auth.request_email_change(user_id, f"eve{number}@example.com")
    yield "request_email_change"
    auth.confirm_email_change(link.token.reveal(), user_id=user_id, keep_session=person.tokens.session_id)
    yield "confirm_email_change"
    auth.change_email(user_id, email, keep_session=person.tokens.session_id)
    yield "change_email"
    invitation = auth.invite(f"bob{number}@example.com")
    yield "invite"
    auth.list_invitations()
    yield "list_invitations"
    auth.withdraw_invitation(invitation.id)
    yield "withdraw_invitation"
    auth.forget_device(user_id, "c1")
    yield "forget_device"
    auth.revoke_session(user_id, person.tokens.session_id)
    yield "revoke_session"
    auth.revoke_sessions(user_id)
    yield "revoke_sessions"
    auth.deactivate_user(user_id)
    yield "deactivate_user"
    auth.activate_user(user_id)
    yield "activate_user"


def counted(engine: Engine) -> dict[str, int]:
    """Return how often each table was scanned, and how many entries of each index were read, by all that is over."""
    with engine.connect() as db:
        db.execute(text("SELECT pg_stat_force_next_flush()"))
    with engine.connect() as db:
        scans = db.execute(text("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'pgauthkit'"))
        entries = db.execute(
            text("SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes WHERE schemaname = 'pgauthkit'")
        )
        return {name: int(count) for rows in (scans, entries) for name, count in rows}


@pytest.mark.pg18
@pytest.mark.parametrize("people", [0, 50], ids=["new", "emptied by a purge"])
def test_no_call_reads_all(auth: AuthService, engine: Engine, database: "Database", people: int) -> None:
    """No call scans a table, or more than some entries of an index, by plans of when there was hardly a row.

    What is for all rows, or for all pending links, reads each of them some times, and not all of them for each.
    """
    if people:
        database.tell(OTHERS)
        database.tell(PURGE)
    for number in range(people):
        auth.verify_magic_link(auth.request_magic_link(f"u{number}@example.org").token.reveal())
    engine.dispose()
    database.tell("VACUUM (ANALYZE)")
    for number in range(ROUNDS):
        assert len(list(calls(auth, number))) == 29
    database.tell(OTHERS)
    database.tell("SELECT pg_stat_force_next_flush()")  # a second late, what it has read would be a call's

    found: dict[str, dict[str, int]] = {}
    before = counted(engine)
    for name in calls(auth, ROUNDS):
        after = counted(engine)
        read = {relation: after[relation] - before[relation] for relation in after}
        found[name] = {relation: count for relation, count in read.items() if count > most(name, relation)}
        before = counted(engine)

    assert {name: read for name, read in found.items() if read} == {}


@pytest.mark.pg18
def test_plans_are_made_anew(engine: Engine, database: "Database") -> None:
    """Where a table has no pages, as after a failover, a connection gives its plans up with its 64th statement."""
    auth = AuthService(engine, AuthConfig())
    database.tell("TRUNCATE pgauthkit.rate_limits")
    database.tell("VACUUM (ANALYZE) pgauthkit.rate_limits")

    def scans(number: int) -> int:
        before = counted(engine)["rate_limits"]
        auth.request_magic_link(f"ada{number}@example.com")
        return counted(engine)["rate_limits"] - before

    assert [scans(number) > 0 for number in range(40)] == [True] * 40
    more: LiteralString = "SELECT sha256(n::text::bytea), now() FROM generate_series(1, 5000) AS n"
    database.tell("INSERT INTO pgauthkit.rate_limits " + more)
    found = [scans(number) > 0 for number in range(40, 70)]
    assert found == [True] * 23 + [False] * 7


@pytest.mark.pg18
def test_plans_are_kept(auth: AuthService, engine: Engine, database: "Database") -> None:
    """No call is planned anew each time, though of few values the planner makes a cheaper plan than of unknown ones.

    But for calls over all rows: how large a batch of them is, it is to know.
    """
    database.tell(MANY_OTHERS)
    database.tell("VACUUM (ANALYZE)")
    for number in range(ROUNDS):
        assert "revoke_sessions" in list(takewhile(lambda name: name != "sign_out", calls(auth, number)))
    with engine.connect() as db:
        assert db.execute(text(PLANNED_ANEW)).all() == []


@pytest.mark.pg18
def test_plans_for_several_are_kept(pgauthkit_url: str, database: "Database") -> None:
    """Nor are those calls that are asked at once, however few."""
    database.tell(MANY_OTHERS)
    database.tell("VACUUM (ANALYZE)")

    async def planned_anew() -> Sequence[object]:
        engine = create_async_engine(pgauthkit_url, pool_size=1, max_overflow=0)
        auth, users = AsyncAuthService(engine, AuthConfig()), AsyncRepository(engine, User)
        links = [await auth.request_magic_link(f"ada{number}@example.com") for number in range(2)]
        signed_in = [await auth.verify_magic_link(link.token.reveal()) for link in links]
        for number in range(1, ROUNDS):
            await asyncio.gather(*(auth.authenticate(one.tokens.access_token.reveal()) for one in signed_in))
            await asyncio.gather(*(users.find_unique(email=f"u{number + n}@example.net") for n in range(2)))
        async with engine.connect() as db:
            found = await db.execute(text(PLANNED_ANEW))
        await engine.dispose()
        return found.all()

    assert asyncio.run(planned_anew()) == []


def most(name: str, relation: str) -> int:
    """Return how often a call may scan a table, or read an entry of an index."""
    if relation in TABLES:
        return 0
    return ALL if name in OF_ALL else ENTRIES
