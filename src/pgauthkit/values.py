"""The frozen values that the service returns. None of them shows a secret in print."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import attrs

from pgauthkit.link_values import EmailChange, IssuedMagicLink, MagicLinkPreview
from pgauthkit.secret import Secret

__all__ = [
    "AuthEvent",
    "DeviceInfo",
    "EmailChange",
    "Identity",
    "InvitationInfo",
    "IssuedMagicLink",
    "MagicLinkPreview",
    "PurgeReport",
    "SessionInfo",
    "SignIn",
    "TokenPair",
    "UserInfo",
    "UserRole",
]


class UserRole(StrEnum):
    """What a user may do; the host decides what that means.

    Example:
        >>> UserRole("ADMIN") is UserRole.ADMIN
        True
    """

    USER = "USER"
    ADMIN = "ADMIN"


@attrs.frozen(kw_only=True)
class TokenPair:
    """The two tokens of a session.

    Attributes:
        session_id: the session's row.
        access_token: sent with each request, good until `access_expires_at`.
        refresh_token: exchanged for the next pair, good until `refresh_expires_at`.
        access_expires_at: when the access token ends.
        refresh_expires_at: when the session ends unless it is used before, and at the latest.

    Example:
        >>> tokens = auth.refresh(refresh_token)  # doctest: +SKIP
        >>> set_cookie("access", tokens.access_token.reveal(), expires=tokens.access_expires_at)  # doctest: +SKIP
    """

    session_id: str
    access_token: Secret
    refresh_token: Secret
    access_expires_at: datetime
    refresh_expires_at: datetime


@attrs.frozen(kw_only=True)
class Identity:
    """Who is signed in.

    Attributes:
        user_id: the user's row.
        email: the canonical address.
        role: read from the user's row each time, so that a change counts at once.
        session_id: the session's row.
        authenticated_at: when the person last proved who they are.
        expires_at: when the access token ends.
        asked_at: when this was found out, on database time.

    Example:
        >>> identity = auth.authenticate(access_token)  # doctest: +SKIP
        >>> identity.role is UserRole.ADMIN and identity.is_fresh(timedelta(minutes=20))  # doctest: +SKIP
        True
    """

    user_id: str
    email: str
    role: UserRole
    session_id: str
    authenticated_at: datetime
    expires_at: datetime
    asked_at: datetime = attrs.field(factory=lambda: datetime.now(UTC), repr=False, eq=False)

    def is_fresh(self, within: timedelta) -> bool:
        """Tell whether the person had signed in at most `within` before this identity was asked for (`asked_at`).

        Example:
            >>> identity.is_fresh(timedelta(minutes=20))  # doctest: +SKIP
            True
        """
        # In UTC: times of one zone are subtracted as they stand, without the hour by which its clocks were put back.
        return max(self.asked_at.astimezone(UTC) - self.authenticated_at, timedelta()) <= within


@attrs.frozen(kw_only=True)
class SignIn:
    """A person who is now signed in.

    Attributes:
        user: who.
        tokens: the new session's tokens.
        redirect_to: where to go, as asked for with the link.
        created: whether the account was made just now.
        device: the token of this browser as a known device, for a cookie that outlives sign-outs
            (`AuthConfig.device_ttl`). It signs nobody in.
        known_device: whether the user had signed in on this browser before, as the token passed as `device` shows.

    Example:
        >>> signed_in = auth.verify_magic_link(token)  # doctest: +SKIP
        >>> redirect(signed_in.redirect_to or ("/welcome" if signed_in.created else "/"))  # doctest: +SKIP
    """

    user: Identity
    tokens: TokenPair
    redirect_to: str | None = None
    created: bool = False
    device: Secret = attrs.field(factory=lambda: Secret(""))
    known_device: bool = False


@attrs.frozen(kw_only=True)
class SessionInfo:
    """A session as its owner may see it; there is no secret in it.

    Attributes:
        id: the session's row.
        created_at: when it was opened.
        last_used_at: when it was last used, give or take `AuthConfig.touch_interval`.
        expires_at: when it ends unless it is used before.
        ip: where it was opened or last refreshed from.
        user_agent: the browser.
        device_id: the known device that it was opened on, which may have been forgotten since.

    Example:
        >>> [(session.id, session.ip) for session in auth.list_sessions(user_id)]  # doctest: +SKIP
        [('cmb6x0r3k…', '203.0.113.7')]
    """

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None
    device_id: str | None = None


@attrs.frozen(kw_only=True)
class DeviceInfo:
    """A browser that a user has signed in on, as its owner may see it; there is no secret in it.

    Attributes:
        id: the device's row, for `forget_device`; `SessionInfo.device_id` of the sessions opened on it.
        created_at: when the user first signed in on it.
        last_used_at: when the user last signed in on it.
        expires_at: when it is forgotten unless the user signs in on it before.
        ip: where the user last signed in from.
        user_agent: the browser, as it called itself then.

    Example:
        >>> [(device.id, device.user_agent) for device in auth.list_devices(user_id)]  # doctest: +SKIP
        [('cmb6x0r3k…', 'Mozilla/5.0 …')]
    """

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None


@attrs.frozen(kw_only=True)
class UserInfo:
    """A user as the service reads them.

    Attributes:
        id: the user's row.
        email: the canonical address.
        role: what the user may do.
        is_active: False after `deactivate_user`.
        last_login_at: when the person last signed in; None before the first time.
        created_at: when the account was made.

    Example:
        >>> auth.find_user("ada@example.com").is_active  # doctest: +SKIP
        True
    """

    id: str
    email: str
    role: UserRole
    is_active: bool
    last_login_at: datetime | None
    created_at: datetime


@attrs.frozen(kw_only=True)
class InvitationInfo:
    """An invitation that nobody has used yet; there is no secret in it.

    Attributes:
        id: of `IssuedMagicLink`, for `withdraw_invitation`.
        email: the address invited.
        role: what an account becomes that is made by it.
        redirect_to: where to go after signing in.
        created_at: when it was made, or replaced.
        expires_at: when it ends.

    Example:
        >>> [(invitation.email, invitation.role) for invitation in auth.list_invitations()]  # doctest: +SKIP
        [('grace@example.com', <UserRole.ADMIN: 'ADMIN'>)]
    """

    id: str
    email: str
    role: UserRole
    redirect_to: str | None
    created_at: datetime
    expires_at: datetime


@attrs.frozen(kw_only=True)
class PurgeReport:
    """How many rows a purge deleted.

    Example:
        >>> auth.purge()  # doctest: +SKIP
        PurgeReport(magic_links=120, sessions=45, rate_limits=8, devices=2)
    """

    magic_links: int
    sessions: int
    rate_limits: int
    devices: int = 0


@attrs.frozen(kw_only=True)
class AuthEvent:
    """Something that happened, reported to observers after the statement committed.

    Attributes:
        kind: such as `signed_in`; the explanation of the audit log lists them all.
        user_id: whose account, where there is one.
        session_id: which session, where there is one.
        email_hash: a keyed hash of the address, the same for the same address.
        ip: where the request came from, as the host said.
        at: when, on the clock of this process.
        detail: what else there is to know; never a secret or an address.

    Example:
        >>> AuthConfig(observers=[lambda event: metrics.count(event.kind)])  # doctest: +SKIP
    """

    kind: str
    user_id: str | None = None
    session_id: str | None = None
    email_hash: str | None = None
    ip: str | None = None
    at: datetime
    detail: Mapping[str, str | int] = attrs.field(factory=dict[str, str | int])
