"""Strategies of hypothesis for the models and the values, and for what they are made of (needs hypothesis)."""

import string
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgauthkit.client import clean_ip
from pgauthkit.email_address import canonical_email
from pgauthkit.models import MagicLink, Session, User
from pgauthkit.models.account import standing
from pgauthkit.secret import Secret
from pgauthkit.tokens import Kind, SecretToken, SessionToken
from pgauthkit.values import (
    DeviceInfo,
    EmailChange,
    Identity,
    InvitationInfo,
    IssuedMagicLink,
    MagicLinkPreview,
    PurgeReport,
    SessionInfo,
    SignIn,
    TokenPair,
    UserRole,
)

__all__ = [
    "device_infos",
    "email_changes",
    "emails",
    "identities",
    "ids",
    "invitation_infos",
    "ips",
    "issued_magic_links",
    "link_tokens",
    "magic_link_previews",
    "magic_links",
    "moments",
    "purge_reports",
    "redirects",
    "session_infos",
    "session_tokens",
    "sessions",
    "sign_ins",
    "token_pairs",
    "user_agents",
    "users",
]

_HASH_BYTES: Final = 32
_DIGITS: Final = string.digits + string.ascii_lowercase
_UNRESERVED: Final = string.ascii_letters + string.digits + "-._~"  # RFC 3986 section 2.3
_FIRST: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - hypothesis takes bounds without a zone
_LAST: Final = datetime(2100, 1, 1)  # noqa: DTZ001 - the same


def ids() -> SearchStrategy[str]:
    """Identifiers of rows: `c` and 24 characters of `0-9a-z`.

    Example:
        >>> given(ids())  # doctest: +SKIP
    """
    return st.text(_DIGITS, min_size=24, max_size=24).map("c{}".format)


def emails() -> SearchStrategy[str]:
    """Addresses in their canonical form."""
    names = st.from_regex(r"[a-z][a-z0-9]{0,20}([.+-][a-z0-9]{1,20})?", fullmatch=True)
    domains = st.from_regex(r"[a-z][a-z0-9]{0,20}\.(example|test|com)", fullmatch=True)
    return st.builds("{}@{}".format, names, domains).map(canonical_email)


def ips() -> SearchStrategy[str]:
    """Addresses of IPv4 and IPv6, as the service keeps them."""
    return st.ip_addresses().map(lambda address: clean_ip(str(address)) or "")


def user_agents() -> SearchStrategy[str]:
    """What a browser may call itself."""
    return st.text(string.ascii_letters + string.digits + " ./();:", min_size=1, max_size=80).filter(str.strip)


def redirects() -> SearchStrategy[str]:
    """Paths that a link may lead to."""
    return st.lists(st.text(_UNRESERVED, min_size=1, max_size=12).filter(lambda part: part.strip(".")), max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    )


def moments() -> SearchStrategy[datetime]:
    """Times of this century, in UTC, to the microsecond, as PostgreSQL keeps them."""
    return st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))


def link_tokens(kind: Kind = Kind.MAGIC_LINK) -> SearchStrategy[Secret]:
    """Well-formed tokens of magic links, or another of one secret, which no database knows."""
    return st.binary(min_size=32, max_size=32).map(lambda secret: SecretToken(0, secret).text(kind))


def session_tokens(kind: Kind = Kind.ACCESS) -> SearchStrategy[Secret]:
    """Well-formed tokens of sessions, which no database knows."""
    parts = st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32))
    return parts.map(lambda both: SessionToken(0, *both).text(kind))


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
    """Rows of links that nobody has a token of: used, revoked, expired, or none of it."""
    return st.builds(
        MagicLink,
        id=ids(),
        token_hash=_hashes(),
        attempts=st.integers(0, 5),
        email=emails(),
        redirect_to=st.none() | redirects(),
        ip=st.none() | ips(),
        user_agent=st.none() | user_agents(),
        expires_at=moments(),
        used_at=st.none() | moments(),
        revoked_at=st.none() | moments(),
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
                "user_id": user_id,
            }
        ),
    )


def issued_magic_links() -> SearchStrategy[IssuedMagicLink]:
    """What `request_magic_link` returns."""
    return st.builds(
        IssuedMagicLink,
        id=ids(),
        email=emails(),
        token=link_tokens(),
        handoff=st.none() | link_tokens(Kind.HANDOFF),
        match=st.none() | st.integers(10, 99).map(str),
        redirect_to=st.none() | redirects(),
        expires_at=moments(),
        should_send=st.booleans(),
    )


def invitation_infos() -> SearchStrategy[InvitationInfo]:
    """What `list_invitations` returns some of."""
    return st.builds(
        InvitationInfo,
        id=ids(),
        email=emails(),
        role=st.sampled_from(UserRole),
        redirect_to=st.none() | redirects(),
        created_at=moments(),
        expires_at=moments(),
    )


def email_changes() -> SearchStrategy[EmailChange]:
    """What `confirm_email_change` returns."""
    return st.builds(EmailChange, user_id=ids(), old_email=emails(), email=emails(), ended=st.lists(ids(), max_size=3))


def magic_link_previews() -> SearchStrategy[MagicLinkPreview]:
    """What `peek_magic_link` returns."""
    return st.builds(
        MagicLinkPreview,
        email=emails(),
        redirect_to=st.none() | redirects(),
        expires_at=moments(),
        purpose=st.sampled_from(["sign_in", "invite", "email_change"]),
        asked_at=moments(),
        asked_ip=st.none() | ips(),
        asked_browser=st.sampled_from([None, "Firefox on Windows", "Safari on iOS"]),
        handoff=st.booleans(),
    )


def identities() -> SearchStrategy[Identity]:
    """What `authenticate` returns."""
    return st.builds(
        Identity,
        user_id=ids(),
        email=emails(),
        role=st.sampled_from(UserRole),
        session_id=ids(),
        authenticated_at=moments(),
        expires_at=moments(),
        asked_at=moments(),
    )


def token_pairs() -> SearchStrategy[TokenPair]:
    """What `refresh` returns."""
    return st.builds(
        TokenPair,
        session_id=ids(),
        access_token=session_tokens(Kind.ACCESS),
        refresh_token=session_tokens(Kind.REFRESH),
        access_expires_at=moments(),
        refresh_expires_at=moments(),
    )


def sign_ins() -> SearchStrategy[SignIn]:
    """What `verify_magic_link` returns."""
    return st.builds(
        SignIn,
        user=identities(),
        tokens=token_pairs(),
        redirect_to=st.none() | redirects(),
        created=st.booleans(),
        device=link_tokens(Kind.DEVICE),
        known_device=st.booleans(),
    )


def session_infos() -> SearchStrategy[SessionInfo]:
    """What `list_sessions` returns some of."""
    return st.builds(
        SessionInfo,
        id=ids(),
        created_at=moments(),
        last_used_at=moments(),
        expires_at=moments(),
        ip=st.none() | ips(),
        user_agent=st.none() | user_agents(),
        device_id=st.none() | ids(),
    )


def device_infos() -> SearchStrategy[DeviceInfo]:
    """What `list_devices` returns some of."""
    times = {name: moments() for name in ("created_at", "last_used_at", "expires_at")}
    return st.builds(DeviceInfo, id=ids(), **times, ip=st.none() | ips(), user_agent=st.none() | user_agents())


def purge_reports() -> SearchStrategy[PurgeReport]:
    """What `purge` returns."""
    counts = st.integers(min_value=0, max_value=1_000_000)
    return st.builds(PurgeReport, magic_links=counts, sessions=counts, rate_limits=counts, devices=counts)


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
