"""What an administrator's page asks of users, links and sessions."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.integration.repositories.conftest import AsyncWork, Waiting, Work

from pgauthkit.errors import CheckViolationError, InvalidEmailError, NotFoundError
from pgauthkit.models import MagicLink, Session, User, UserRole
from pgauthkit.repositories import (
    AsyncMagicLinkRepository,
    AsyncSessionRepository,
    MagicLinkRepository,
    SessionRepository,
)

PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def links(work: Work) -> MagicLinkRepository:
    if isinstance(work, AsyncWork):
        return cast("MagicLinkRepository", Waiting(work, AsyncMagicLinkRepository(work._async_db)))
    return MagicLinkRepository(work.db)


@pytest.fixture
def sessions(work: Work) -> SessionRepository:
    if isinstance(work, AsyncWork):
        return cast("SessionRepository", Waiting(work, AsyncSessionRepository(work._async_db)))
    return SessionRepository(work.db)


def link(number: int, **values: object) -> dict[str, Any]:
    made = {"id": f"l{number}", "token_hash": bytes([number]), "email": "ada@example.com", "expires_at": FUTURE}
    return {**made, "created_at": PAST + timedelta(days=number), **values}


def session(number: int, user: User, **values: object) -> dict[str, Any]:
    moments = dict.fromkeys(("authenticated_at", "last_used_at"), PAST)
    ends = dict.fromkeys(("access_expires_at", "idle_expires_at", "expires_at"), FUTURE)
    hashes = dict.fromkeys(("selector_hash", "access_token_hash", "refresh_token_hash"), bytes([number]))
    made = {"id": f"s{number}", "user_id": user.id, "created_at": PAST + timedelta(days=number)}
    return {**made, **moments, **ends, **hashes, **values}


@pytest.mark.in_session
def test_users(work: Work, user: User) -> None:
    """A user is found however the address is written, promoted, and made once."""
    users = work.users
    assert user is users.find_by_email("ADA@Example.com")
    assert users.find_by_email("nobody@example.com") is None
    assert users.set_role(user.id, UserRole.ADMIN).role is UserRole.ADMIN
    assert user is users.ensure("Ada@Example.COM")
    assert users.ensure("root@example.com", role=UserRole.ADMIN).role is UserRole.ADMIN
    assert len(work.sent()) == 5
    with pytest.raises(InvalidEmailError):
        users.find_by_email("nobody")
    with pytest.raises(NotFoundError):
        users.set_role("nobody", UserRole.USER)
    with pytest.raises(CheckViolationError, match="is none of USER, ADMIN"):
        users.set_role(user.id, cast("UserRole", "BOSS"))


@pytest.mark.in_session
def test_links(work: Work, links: MagicLinkRepository, user: User) -> None:
    """Links that are used, revoked or over are not pending; each question is one statement."""
    work.of(MagicLink).create_many([
        link(1, user_id=user.id), link(2), link(3, email="bob@example.com"),
        link(4, used_at=PAST), link(5, revoked_at=PAST), link(6, expires_at=PAST),
    ])  # fmt: skip
    work.sent()
    assert [row.id for row in links.find_pending()] == ["l3", "l2", "l1"]
    assert [row.id for row in links.find_pending("ADA@example.com", take=1)] == ["l2"]
    assert (links.count_pending(), links.count_pending("ada@example.com")) == (3, 2)
    assert [tuple(row) for row in links.count_pending_by_email(take=1)] == [("ada@example.com", 2)]
    assert len(work.sent()) == 5
    assert links.find_pending("ada@example.com", include="user")[-1].user is user
    assert links.page(MagicLinkRepository.is_pending(), order_by="-created_at", size=2).has_next
    assert str(AsyncMagicLinkRepository.is_pending()) == str(MagicLinkRepository.is_pending())


@pytest.mark.in_session
def test_sessions(work: Work, sessions: SessionRepository, user: User) -> None:
    """Sessions that are revoked or over are not live; each question is one statement."""
    bob = work.users.ensure("bob@example.com")
    work.of(Session).create_many([
        session(1, user), session(2, user), session(3, bob),
        session(4, user, revoked_at=PAST), session(5, user, idle_expires_at=PAST), session(6, user, expires_at=PAST),
    ])  # fmt: skip
    work.sent()
    assert [row.id for row in sessions.find_live()] == ["s3", "s2", "s1"]
    assert [row.id for row in sessions.find_live(user.id, take=1)] == ["s2"]
    assert (sessions.count_live(), sessions.count_live(user.id)) == (3, 2)
    assert [tuple(row) for row in sessions.count_live_by_user(take=1)] == [(user.id, 2)]
    assert len(work.sent()) == 5
    assert [row.user for row in sessions.find_live(include="user")] == [bob, user, user]
    page = sessions.page(SessionRepository.is_live(), order_by="-created_at", size=2, include="user")
    assert (page.items[0].user, page.has_next) == (bob, True)
    assert str(AsyncSessionRepository.is_live()) == str(SessionRepository.is_live())
