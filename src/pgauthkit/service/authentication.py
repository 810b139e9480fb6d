"""Authentication: who holds an access token, on the way of each request."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pgauthkit.database.runner import Row
from pgauthkit.errors import InvalidTokenError
from pgauthkit.hashing import KEPT_BYTES, Purpose, selector_hash
from pgauthkit.service.base import Service, refusal
from pgauthkit.service.memory.marks import elapsed
from pgauthkit.statements import authentication as statements
from pgauthkit.tokens import Kind, SessionToken
from pgauthkit.values import Identity, UserRole

__all__ = ["Authentication", "Presented"]


class Presented(NamedTuple):
    """A well-formed access token, as it is looked up, and when that began."""

    text: str
    selector_hash: bytes
    access_token_hash: bytes
    begun: float


class Authentication(Service):
    """What `AuthService` does with the access token of a request."""

    def authenticate(self, access_token: str) -> Identity:
        """Return who holds an access token.

        One read, by the row's unique index. A second statement follows where `last_used_at` is older than
        `touch_interval`, which it moves with the end of the idle time, and at the first use of a pair, which ends the
        time in which its predecessor may still be exchanged for it. It waits for nobody, and is left out where the
        server takes no writes.

        With `AuthConfig.session_cache`, no read at all where the token was good a moment ago, and nothing was ended
        here since.

        Args:
            access_token: from `TokenPair.access_token`, or a successor of it.

        Raises:
            InvalidTokenError: malformed or unknown, as is one that was followed by two newer ones.
            TokenExpiredError: it has expired, or the session has, or it was followed by a newer one for longer than
                `refresh_grace`.
            SessionRevokedError: the session was ended, as `deactivate_user` does as well.
            UserInactiveError: the user is inactive, by another hand than `deactivate_user`'s.
            DatabaseUnavailableError: no answer from the database. Nobody is let in.

        Example:
            >>> auth.authenticate(token).email  # doctest: +SKIP
            'ada@example.com'
        """
        if recalled := self._recall(access_token):
            return recalled
        presented = self._presented(access_token)
        identity, is_due = self._judged(presented, self._asked(presented))
        if is_due:
            self._touch([(identity.session_id, presented.access_token_hash)])
        return identity

    def _recall(self, access_token: str) -> Identity | None:
        return None if self._kept is None else self._kept.find(access_token)

    def _presented(self, access_token: str) -> Presented:
        token, begun = self._session_token(Kind.ACCESS, access_token), elapsed()
        digest = self._hasher.digest(Purpose.ACCESS, token.proof, token.pepper_id)
        return Presented(access_token, selector_hash(token.selector), digest, begun)

    def _asked(self, presented: Presented) -> Row | None:
        rows = self._runner.fetch(*self._question(presented))
        return rows[0] if rows else None

    def _question(self, presented: Presented) -> tuple[str, Mapping[str, object]]:
        return self._text(
            statements.AUTHENTICATE if self._kept is None else statements.AUTHENTICATE_TO_KEEP,
            selector_hash=presented.selector_hash,
            access_token_hash=presented.access_token_hash,
            touch_interval=self._config.touch_interval,
        )

    def _judged(self, presented: Presented, row: Row | None) -> tuple[Identity, bool]:
        """Return who it is, and whether that is still to be written."""
        if row is None:
            raise InvalidTokenError
        verdict, session_id, user_id, email, role, authenticated_at, expires_at, asked_at, touch, *kept_until = row
        if verdict != "ok":
            raise refusal(verdict)
        identity = Identity(
            user_id=user_id,
            email=email,
            role=UserRole(role),
            session_id=session_id,
            authenticated_at=authenticated_at,
            expires_at=expires_at,
            asked_at=asked_at,
        )
        if self._kept is not None and kept_until[0] is not None:
            self._kept.put(presented.text, presented.selector_hash, presented.begun, identity, kept_until[0])
        return identity, touch

    def _session_token(self, kind: Kind, text: str) -> SessionToken:
        token = SessionToken.parse(kind, text)
        self._hasher.accept(token.pepper_id)
        return token

    def _touch(self, used: Sequence[tuple[str, bytes]]) -> None:
        """Write that sessions are in use, given their ids and the hashes that they were asked by."""
        config = self._config
        self._rows(
            statements.TOUCH,
            session_ids=[session_id for session_id, _ in used],
            access_token_hashes=[digest[:KEPT_BYTES] for _, digest in used],
            touch_interval=config.touch_interval,
            session_idle_ttl=config.session_idle_ttl,
        )
