"""What the service returns."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgauthkit.testing.strategies.parts import (
    emails,
    ids,
    ips,
    link_tokens,
    moments,
    redirects,
    session_tokens,
    user_agents,
)
from pgauthkit.tokens import Kind
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
    "identities",
    "invitation_infos",
    "issued_magic_links",
    "magic_link_previews",
    "purge_reports",
    "session_infos",
    "sign_ins",
    "token_pairs",
]


def issued_magic_links() -> SearchStrategy[IssuedMagicLink]:
    """What `request_magic_link` returns."""
    return st.builds(
        IssuedMagicLink,
        id=ids(),
        email=emails(),
        token=link_tokens(),
        binding=st.none() | link_tokens(Kind.BINDING),
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
