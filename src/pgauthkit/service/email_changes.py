"""Changes of address, by a link to the new one."""

from typing import Any

from pgauthkit.client import clean_ip, clean_user_agent
from pgauthkit.email_address import canonical_email
from pgauthkit.errors import InvalidTokenError, NotFoundError, RateLimitedError, UniqueViolationError, UserInactiveError
from pgauthkit.hashing import Purpose
from pgauthkit.identifiers import is_storable, new_id
from pgauthkit.service.base import id_or_none, refusal
from pgauthkit.service.limits import change_limits, parameters
from pgauthkit.service.memory.marks import EVERYBODY
from pgauthkit.service.presented import hash_of
from pgauthkit.service.users import Users
from pgauthkit.statements import email_changes as statements
from pgauthkit.tokens import Kind, SecretToken, pasted
from pgauthkit.values import EmailChange, IssuedMagicLink

__all__ = ["EmailChanges"]


class EmailChanges(Users):
    """What `AuthService` does with changes of address."""

    def request_email_change(
        self, user_id: str, email: str, *, ip: str | None = None, user_agent: str | None = None
    ) -> IssuedMagicLink:
        """Make a link that moves a user to a new address, to be mailed there by the host. One statement.

        It signs nobody in, and nothing changes until `confirm_email_change`. A user has one pending change: a new one
        replaces it. Whether the address is taken is not looked at, so that nobody learns it by asking: the one who
        opens the mail does, since their click raises. Ask for a fresh sign-in before (`Identity.is_fresh`).

        Args:
            user_id: who wants to move.
            email: the new address.
            ip: where the request comes from; shown by `peek_magic_link`.
            user_agent: the browser; shown by `peek_magic_link` as browser and system.

        Raises:
            InvalidEmailError: it is no address.
            NotFoundError: there is no such user.
            UserInactiveError: the user was deactivated.
            RateLimitedError: too many were asked for, by this user or to this address
                (`RateLimits.per_email_change`); nothing was written.

        Example:
            >>> link = auth.request_email_change(identity.user_id, "ada@new.example")  # doctest: +SKIP
            >>> link.url("https://app.example.com/account/confirm-address")  # doctest: +SKIP
        """
        address, ip, token = canonical_email(email), clean_ip(ip), SecretToken.new(self._hasher.current)
        if not is_storable(user_id):
            raise NotFoundError("There is no such user.", table="users")
        limits = change_limits(self._config, self._hasher, user_id, address)
        row = self._row(
            statements.request_email_change(tuple(limits)),
            link_id=new_id(),
            token_hash=self._hasher.digest(Purpose.EMAIL_CHANGE, token.secret, token.pepper_id),
            user_id=user_id,
            email=address,
            ip=ip,
            user_agent=clean_user_agent(user_agent),
            magic_link_ttl=self._config.magic_link_ttl,
            **parameters(limits),
        )
        if row is None:
            raise NotFoundError("There is no such user.", table="users")
        is_active, link_id, expires_at, wait = row
        if not is_active:
            raise UserInactiveError
        if link_id is None:
            self._audit.tell("rate_limited", user_id=user_id, email=address, ip=ip, what="email_change")
            raise RateLimitedError(wait)
        self._audit.tell("email_change_requested", user_id=user_id, email=address, ip=ip, link_id=link_id)
        return IssuedMagicLink(
            id=link_id,
            email=address,
            token=token.text(Kind.EMAIL_CHANGE),
            expires_at=expires_at,
            should_send=True,
        )

    def confirm_email_change(
        self, token: str, *, user_id: str | None = None, keep_session: str | None = None
    ) -> EmailChange:
        """Use the link of a change: move the user to the address that it was mailed to.

        Pending links of both addresses end, and every session but `keep_session`, whose device alone stays known: in
        one statement, and in a second one those of sign-ins at the old address that were under way. A refusal changes
        nothing.

        Args:
            token: from the link; what a mail program leaves around it does not count.
            user_id: who is signed in where the link is opened. Pass it: the link is then good only for the user who
                asked. Without it a mistyped address would give the account to anyone who reads the mail there.
            keep_session: the id of the session that goes on.

        Raises:
            InvalidTokenError: malformed, unknown, replaced by a newer change, of a user who is gone, or of another
                user than `user_id`.
            TokenAlreadyUsedError: it has been used.
            TokenExpiredError: it has expired, or another event of one of the addresses ended it.
            UserInactiveError: the user was deactivated.
            UniqueViolationError: another user has the address.

        Example:
            >>> change = auth.confirm_email_change(token, user_id=identity.user_id)  # doctest: +SKIP
            >>> change.old_email, change.email  # doctest: +SKIP
            ('ada@example.com', 'ada@new.example')
        """
        if user_id is not None and not is_storable(user_id):
            raise InvalidTokenError
        token_hash = hash_of(self._hasher, Kind.EMAIL_CHANGE, pasted(token))
        # Where nobody says whose it is, only the statement knows, and its answer may be lost.
        with self._ending(user_id or EVERYBODY):
            row = self._confirmed(token_hash, user_id, keep_session)
            meanwhile = self._opened_meanwhile(row[1], keep_session) if row and row[4] else []
        if row is None:
            raise InvalidTokenError
        verdict, owner, old, email, is_active, ids = row
        if verdict == "ok" and not is_active:
            verdict = "invalid" if is_active is None else "inactive"
        if verdict != "ok":
            self._audit.tell("link_refused", user_id=owner, email=email, why=verdict)
            raise refusal(verdict)
        ids = [*ids, *meanwhile]
        self._audit.tell("email_changed", user_id=owner, email=email, sessions=len(ids))
        return EmailChange(user_id=owner, old_email=old, email=email, ended=ids)

    def _confirmed(self, token_hash: bytes, user_id: str | None, keep: str | None) -> tuple[Any, ...] | None:
        try:
            return self._row(
                statements.CONFIRM_EMAIL_CHANGE, token_hash=token_hash, owner=user_id, keep=id_or_none(keep)
            )
        except UniqueViolationError as error:
            error.columns = ("email",)  # the server names the constraint, and not its columns
            raise
