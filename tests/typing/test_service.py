"""The types of the service, its values, its settings and its errors, as mypy and pyright reveal them; run as well."""

import asyncio
from datetime import datetime, timedelta
from typing import assert_type

import pytest
from sqlalchemy import Engine, orm
from sqlalchemy.ext.asyncio import AsyncEngine

from pgauthkit import AsyncAuthService, AuthConfig, AuthService, Secret
from pgauthkit.config import Pepper, RateLimit, RateLimits
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.errors import (
    AuthenticationError,
    ConfigError,
    InvalidTokenError,
    PgAuthKitError,
    RateLimitedError,
    RepositoryError,
    UniqueViolationError,
)
from pgauthkit.models import UserRole
from pgauthkit.values import (
    DeviceInfo,
    Identity,
    IssuedMagicLink,
    MagicLinkPreview,
    PurgeReport,
    SessionInfo,
    SignIn,
    TokenPair,
    UserInfo,
)


def test_the_service(pgauthkit_auth: AuthService) -> None:
    """Every method returns a value of its own type, or raises."""
    auth = pgauthkit_auth
    link = auth.request_magic_link("Ada@Example.com", redirect_to="/inbox", ip="203.0.113.7")
    assert_type(link, IssuedMagicLink)
    assert_type(link.token, Secret)
    assert_type(link.code, Secret | None)
    assert_type(link.expires_at, datetime)
    assert_type(link.url("https://app.example/in"), str)
    assert_type(auth.peek_magic_link(link.token.reveal()), MagicLinkPreview)
    signed_in = auth.verify_magic_link(link.token.reveal())
    assert_type(signed_in, SignIn)
    assert_type(signed_in.created, bool)
    assert_type(signed_in.user, Identity)
    assert_type(signed_in.tokens, TokenPair)
    assert_type(signed_in.redirect_to, str | None)
    identity = auth.authenticate(signed_in.tokens.access_token.reveal())
    assert_type(identity, Identity)
    assert_type(identity.role, UserRole)
    assert_type(identity.is_fresh(timedelta(minutes=5)), bool)
    assert_type(auth.refresh(signed_in.tokens.refresh_token.reveal()), TokenPair)
    assert_type(auth.open_session(identity.user_id), SignIn)
    assert_type(auth.list_sessions(identity.user_id), list[SessionInfo])
    assert_type(auth.list_devices(identity.user_id), list[DeviceInfo])
    assert_type(auth.forget_device(identity.user_id, "none"), bool)
    assert_type(auth.revoke_session(identity.user_id, "none"), bool)
    assert_type(auth.revoke_sessions(identity.user_id, keep=identity.session_id), list[str])
    assert_type(auth.change_email(identity.user_id, "grace@example.com"), list[str])
    assert_type(auth.find_user("ada@example.com"), UserInfo | None)
    assert_type(auth.deactivate_user(identity.user_id), list[str])
    assert_type(auth.activate_user(identity.user_id), list[str])
    assert_type(auth.purge(), PurgeReport)
    auth.sign_out(signed_in.tokens.access_token.reveal())


def test_within(pgauthkit_auth: AuthService, pgauthkit_session: orm.Session) -> None:
    """Inside the host's transaction it is the same service."""
    assert_type(pgauthkit_auth.within(pgauthkit_session), AuthService)


def test_the_async_service(pgauthkit_async_auth: AsyncAuthService) -> None:
    """The async twin returns the same values, awaited."""

    async def use() -> None:
        auth = pgauthkit_async_auth
        link = await auth.request_magic_link("ada@example.com")
        assert_type(link, IssuedMagicLink)
        signed_in = await auth.verify_magic_link(link.token.reveal())
        assert_type(signed_in, SignIn)
        assert_type(await auth.authenticate(signed_in.tokens.access_token.reveal()), Identity)
        assert_type(await auth.refresh(signed_in.tokens.refresh_token.reveal()), TokenPair)
        assert_type(await auth.list_sessions(signed_in.user.user_id), list[SessionInfo])
        assert_type(await auth.purge(), PurgeReport)

    asyncio.run(use())


def test_settings() -> None:
    """Settings are typed, and a typing mistake is found by the checker before it is found by us."""
    config = AuthConfig(
        magic_link_ttl=timedelta(minutes=5),
        peppers=(Pepper(id=1, secret=Secret("x" * 32)),),
        rate_limits=RateLimits(per_ip=RateLimit(20, per=timedelta(minutes=1)), per_email=None),
    )
    assert_type(config.magic_link_ttl, timedelta)
    assert_type(config.peppers, tuple[Pepper, ...])
    assert_type(config.rate_limits, RateLimits | None)
    assert_type(config.codes, bool)
    with pytest.raises(ConfigError):
        AuthConfig(magic_link_ttl=600)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_errors() -> None:
    """Errors carry typed data, and form one tree."""
    unique = UniqueViolationError(constraint="c", columns=["a"], table="t")
    assert_type(unique.columns, tuple[str, ...])
    assert_type(unique.constraint, str | None)
    limited = RateLimitedError(timedelta(seconds=3))
    assert_type(limited.retry_after, timedelta)
    families: tuple[tuple[PgAuthKitError, type[Exception]], ...] = (
        (unique, RepositoryError),
        (InvalidTokenError(), AuthenticationError),
        (ConfigError(["x: y"]), ValueError),
    )
    assert all(isinstance(error, family) for error, family in families)


def test_engines(pgauthkit_url: str) -> None:
    """Engines are SQLAlchemy's own."""
    engine, async_engine = create_engine(pgauthkit_url), create_async_engine(pgauthkit_url)
    assert_type(engine, Engine)
    assert_type(async_engine, AsyncEngine)
    assert_type(AuthService(engine, AuthConfig()), AuthService)
    assert_type(AsyncAuthService(async_engine, AuthConfig()), AsyncAuthService)
    engine.dispose()
    asyncio.run(async_engine.dispose())
