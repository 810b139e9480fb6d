"""How much Python a hot call runs: the number of function calls, which is the same on every machine.

The bounds are half as much again as what was counted with Python 3.11 and SQLAlchemy 2.1, so that another version of
either passes, and a second look at the pool, a cursor, or a statement that is built anew for each call does not.
"""

import asyncio
import cProfile
import pstats
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.counting import uncollected

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.config import SessionCache
from pgauthkit.repositories import AsyncUserRepository
from pgauthkit.values import SignIn

ADA = "ada@example.com"
TIMES = 20


def sign_in(engine: Engine, config: AuthConfig) -> tuple[AuthService, SignIn]:
    auth = AuthService(engine, config)
    return auth, auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal())


def calls(work: Callable[[], object]) -> float:
    """Return the function calls of one of many that are alike, the first having gone before."""
    work()
    profile = cProfile.Profile()
    with uncollected(), profile:
        for _ in range(TIMES):
            work()
    return counted(profile)


async def calls_async(work: Callable[[], Awaitable[object]]) -> float:
    """Return the same of what is awaited."""
    await work()
    profile = cProfile.Profile()
    with uncollected(), profile:
        for _ in range(TIMES):
            await work()
    return counted(profile)


def counted(profile: cProfile.Profile) -> float:
    total: int = vars(pstats.Stats(profile))["total_calls"]
    return total / TIMES


def test_authenticate(pgauthkit_engine: Engine, pgauthkit_config: AuthConfig) -> None:
    """Checking an access token takes no more than so many function calls."""
    auth, signed_in = sign_in(pgauthkit_engine, pgauthkit_config)
    token = signed_in.tokens.access_token.reveal()
    assert calls(lambda: auth.authenticate(token)) < 180


def test_authenticate_awaited(
    pgauthkit_engine: Engine, pgauthkit_async_engine: AsyncEngine, pgauthkit_config: AuthConfig
) -> None:
    """The async twin takes no more than so many."""
    _, signed_in = sign_in(pgauthkit_engine, pgauthkit_config)
    token = signed_in.tokens.access_token.reveal()

    async def count() -> float:
        auth = AsyncAuthService(pgauthkit_async_engine, pgauthkit_config)
        found = await calls_async(lambda: auth.authenticate(token))
        await pgauthkit_async_engine.dispose()
        return found

    assert asyncio.run(count()) < 380


def test_authenticate_from_memory(pgauthkit_engine: Engine) -> None:
    """Checking an access token that is kept in memory takes hardly any."""
    config = AuthConfig(session_cache=SessionCache(timedelta(minutes=1)))
    auth, signed_in = sign_in(pgauthkit_engine, config)
    token = signed_in.tokens.access_token.reveal()
    assert calls(lambda: auth.authenticate(token)) < 27


def test_verify_magic_link(pgauthkit_engine: Engine, pgauthkit_config: AuthConfig) -> None:
    """Using a link, which makes three tokens and three ids, takes no more than so many."""
    auth, _ = sign_in(pgauthkit_engine, pgauthkit_config)
    links = [auth.request_magic_link(f"user{number}@example.com").token.reveal() for number in range(TIMES + 1)]
    assert calls(lambda: auth.verify_magic_link(links.pop())) < 860


def test_refresh(pgauthkit_engine: Engine, pgauthkit_config: AuthConfig) -> None:
    """A refresh, which hashes and derives six secrets and tells the audit log, takes no more than so many."""
    auth, signed_in = sign_in(pgauthkit_engine, pgauthkit_config)
    tokens = [signed_in.tokens]

    def refresh() -> None:
        tokens.append(auth.refresh(tokens[-1].refresh_token.reveal()))

    assert calls(refresh) < 560


def test_find_user(pgauthkit_engine: Engine, pgauthkit_config: AuthConfig) -> None:
    """Finding a user by a plain address takes no more than so many."""
    auth, _ = sign_in(pgauthkit_engine, pgauthkit_config)
    assert calls(lambda: auth.find_user(ADA)) < 150


def test_get_awaited(
    pgauthkit_engine: Engine, pgauthkit_async_engine: AsyncEngine, pgauthkit_config: AuthConfig
) -> None:
    """A row by its key, awaited by a caller who is alone, takes no more than so many."""
    _, signed_in = sign_in(pgauthkit_engine, pgauthkit_config)
    users = AsyncUserRepository(pgauthkit_async_engine)

    async def count() -> float:
        found = await calls_async(lambda: users.get(id=signed_in.user.user_id))
        await pgauthkit_async_engine.dispose()
        return found

    assert asyncio.run(count()) < 370
