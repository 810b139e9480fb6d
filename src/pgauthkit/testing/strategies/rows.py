"""Rows of our tables that are not in a database yet."""

from datetime import datetime, timedelta
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgauthkit.models import Device, MagicLink, Session, User
from pgauthkit.models.account import standing
from pgauthkit.testing.strategies.parts import emails, ids, ips, moments, redirects, user_agents
from pgauthkit.values import UserRole

__all__ = ["devices", "magic_links", "sessions", "users"]

_HASH_BYTES: Final = 32


def users() -> SearchStrategy[User]:
    """Rows of users that are not in a database yet; of the application's own class, where it has one."""
    return st.builds(
        standing(User.__mapper__),
        id=ids(),
        email=emails(),
        role=st.sampled_from(UserRole),
        is_active=st.booleans(),
        last_login_at=st.none() | moments(),
    )


def magic_links() -> SearchStrategy[MagicLink]:
    """Rows of links that nobody has a token of, of every purpose: used, revoked, expired, or none of it.

    Some of those to sign in with are waited for by a browser, and invitations have a role.
    """
    columns = {
        "id": ids(),
        "token_hash": _hashes(),
        "email": emails(),
        "redirect_to": st.none() | redirects(),
        "ip": st.none() | ips(),
        "user_agent": st.none() | user_agents(),
        "expires_at": moments(),
        "used_at": st.none() | moments(),
        "revoked_at": st.none() | moments(),
    }
    waited_for = {"handoff_hash": _hashes(), "match_hash": _hashes(), "match_attempts": st.integers(0, 3)}
    return st.one_of(
        st.builds(MagicLink, **columns, purpose=st.just("sign_in"), attempts=st.integers(0, 5)),
        st.builds(MagicLink, **columns, **waited_for, purpose=st.just("sign_in"), approved_at=st.none() | moments()),
        st.builds(MagicLink, **columns, purpose=st.just("invite"), role=st.sampled_from(UserRole)),
        st.builds(MagicLink, **columns, purpose=st.just("email_change")),
    )


def sessions(user_id: SearchStrategy[str]) -> SearchStrategy[Session]:
    """Rows of sessions that nobody has a token of; their times are in the order that real ones have.

    Args:
        user_id: the ids of users to choose from.
    """
    return st.builds(
        _session,
        opened_at=moments(),
        lifetimes=st.lists(_durations(), min_size=3, max_size=3).map(sorted),
        columns=st.fixed_dictionaries(
            {
                "id": ids(),
                "selector_hash": _hashes(),
                "access_token_hash": _hashes(),
                "refresh_token_hash": _hashes(),
                "revoked_at": st.none() | moments(),
                "ip": st.none() | ips(),
                "user_agent": st.none() | user_agents(),
                "device_id": st.none() | ids(),
                "user_id": user_id,
            }
        ),
    )


def devices(user_id: SearchStrategy[str]) -> SearchStrategy[Device]:
    """Rows of known devices that nobody has a token of; their times are in the order that real ones have.

    Args:
        user_id: the ids of users to choose from.
    """
    return st.builds(
        _device,
        made_at=moments(),
        lifetimes=st.lists(_durations(), min_size=2, max_size=2),
        columns=st.fixed_dictionaries(
            {
                "id": ids(),
                "token_hash": _hashes(),
                "ip": st.none() | ips(),
                "user_agent": st.none() | user_agents(),
                "user_id": user_id,
            }
        ),
    )


def _hashes() -> SearchStrategy[bytes]:
    return st.binary(min_size=_HASH_BYTES, max_size=_HASH_BYTES)


def _durations() -> SearchStrategy[timedelta]:
    return st.timedeltas(timedelta(seconds=1), timedelta(days=365))


def _session(opened_at: datetime, lifetimes: list[timedelta], columns: dict[str, object]) -> Session:
    access, idle, whole = lifetimes
    return Session(
        authenticated_at=opened_at,
        last_used_at=opened_at,
        access_expires_at=opened_at + access,
        idle_expires_at=opened_at + idle,
        expires_at=opened_at + whole,
        **columns,
    )


def _device(made_at: datetime, lifetimes: list[timedelta], columns: dict[str, object]) -> Device:
    used_at = made_at + lifetimes[0]
    return Device(created_at=made_at, last_used_at=used_at, expires_at=used_at + lifetimes[1], **columns)
