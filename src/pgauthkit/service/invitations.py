"""Invitations: links for people who did not ask, with a role and a time of their own."""

from datetime import timedelta
from typing import Final

from pgauthkit.email_address import canonical_email
from pgauthkit.errors import ConfigError, RateLimitedError
from pgauthkit.hashing import Purpose
from pgauthkit.identifiers import is_storable, new_id
from pgauthkit.redirects import checked_redirect
from pgauthkit.service.base import Service
from pgauthkit.service.limits import invitation_limits, parameters
from pgauthkit.statements import invitations as statements
from pgauthkit.tokens import Kind, SecretToken
from pgauthkit.values import InvitationInfo, IssuedMagicLink, UserRole

__all__ = ["Invitations"]

WEEK: Final = timedelta(days=7)
LONGEST: Final = timedelta(days=366)


class Invitations(Service):
    """What `AuthService` does with invitations."""

    def invite(
        self, email: str, *, role: UserRole = UserRole.USER, redirect_to: str | None = None, ttl: timedelta = WEEK
    ) -> IssuedMagicLink:
        """Make a link for a person who did not ask for one, to be mailed by the host. One statement.

        It is used by `verify_magic_link`, in any browser, also where `allow_sign_up` is off. An address has one pending
        invitation: a new one replaces it, with its token, role and end, so that a mistake is mended by the next. The
        role is given where the link makes the account. Where the address has one, the invitation changes nothing of it:
        it is a link to sign in with, which ends after `AuthConfig.magic_link_ttl`, whatever `ttl` says. Any sign-in of
        the address ends it.

        Args:
            email: who is invited.
            role: what the account becomes.
            redirect_to: where to go after signing in: a path, or an address in `AuthConfig.allowed_redirects`.
            ttl: how long it is good, up to 366 days.

        Raises:
            InvalidEmailError: it is no address.
            InvalidRedirectError: the redirect leads elsewhere.
            RateLimitedError: the address was invited too often (`RateLimits.per_invitation`); nothing was written.
            ConfigError: `role` or `ttl` is out of range.

        Example:
            >>> link = auth.invite("grace@example.com", role=UserRole.ADMIN)  # doctest: +SKIP
            >>> link.url("https://app.example.com/confirm")  # doctest: +SKIP
        """
        _refuse_wrong(role, ttl)
        address = canonical_email(email)
        target = None if redirect_to is None else checked_redirect(redirect_to, self._config.allowed_redirects)
        token = SecretToken.new(self._hasher.current)
        limits = invitation_limits(self._config, self._hasher, address)
        ((link_id, expires_at, wait, should_send),) = self._rows(
            statements.invite(tuple(limits)),
            link_id=new_id(),
            token_hash=self._hasher.digest(Purpose.MAGIC_LINK, token.secret, token.pepper_id),
            email=address,
            role=role,
            redirect_to=target,
            ttl=ttl,
            **parameters(limits),
        )
        if link_id is None:
            self._audit.tell("rate_limited", email=address, what="invitation")
            raise RateLimitedError(wait)
        self._audit.tell("invited", email=address, link_id=link_id, role=role)
        return IssuedMagicLink(
            id=link_id,
            email=address,
            token=token.text(Kind.MAGIC_LINK),
            redirect_to=target,
            expires_at=expires_at,
            should_send=should_send,
        )

    def list_invitations(self) -> list[InvitationInfo]:
        """Return the invitations that are still good, newest first. One read.

        Example:
            >>> [invitation.email for invitation in auth.list_invitations()]  # doctest: +SKIP
            ['grace@example.com']
        """
        rows = self._rows(statements.LIST_INVITATIONS, magic_link_ttl=self._config.magic_link_ttl)
        return [
            InvitationInfo(
                id=link_id,
                email=email,
                role=UserRole(role),
                redirect_to=redirect_to,
                created_at=created_at,
                expires_at=expires_at,
            )
            for link_id, email, role, redirect_to, created_at, expires_at in rows
        ]

    def withdraw_invitation(self, link_id: str) -> bool:
        """End a pending invitation; tell whether there was one to end. One statement.

        Args:
            link_id: of `IssuedMagicLink.id` or `InvitationInfo.id`. One that replaced another has its id.

        Example:
            >>> auth.withdraw_invitation(link.id)  # doctest: +SKIP
            True
        """
        row = self._row(statements.WITHDRAW_INVITATION, link_id=link_id) if is_storable(link_id) else None
        if row is None:
            return False
        self._audit.tell("invitation_withdrawn", email=row[0], link_id=link_id)
        return True


def _refuse_wrong(role: object, ttl: object) -> None:
    problems: list[str] = []
    if role not in list(UserRole):
        problems.append(f"invite: role must be one of {', '.join(UserRole)}.")
    if not isinstance(ttl, timedelta) or not timedelta() < ttl <= LONGEST:
        problems.append("invite: ttl must be a timedelta of more than nothing, and at most 366 days.")
    if problems:
        raise ConfigError(problems)
