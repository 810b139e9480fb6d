"""Authentication: who holds an access token, on the way of each request."""

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any, NamedTuple

import attrs

from pgauthkit.database.adapters import Binaries
from pgauthkit.database.runner import Row
from pgauthkit.errors import InvalidTokenError
from pgauthkit.hashing import KEPT_BYTES, Purpose, selector_hash
from pgauthkit.service.base import Service, refusal
from pgauthkit.service.memory.kept import ROLES
from pgauthkit.service.memory.marks import MARKS, elapsed
from pgauthkit.service.moments import in_seconds, read_clock
from pgauthkit.service.replicas.replica import Replica
from pgauthkit.service.replicas.uses import Use
from pgauthkit.statements import authentication as statements
from pgauthkit.tokens import Kind, SessionToken
from pgauthkit.values import Identity

__all__ = ["Answer", "Authentication", "Presented"]


class Presented(NamedTuple):
    """A well-formed access token, as it is looked up, and when that began."""

    key: bytes  # in memory, where answers are kept there
    selector_hash: bytes
    access_token_hash: bytes
    begun: float


class Answer(NamedTuple):
    """A row of a replica for a token that it does not refuse, and what it is as of by the clock of the process."""

    row: list[Any]
    as_of: float


class Authentication(Service):
    """What `AuthService` does with the access token of a request."""

    def authenticate(self, access_token: str) -> Identity:
        """Return who holds an access token.

        One read, by the row's unique index. A second statement follows where `last_used_at` is older than
        `touch_interval`, which it moves with the end of the idle time, and at the first use of a pair, which ends the
        time in which its predecessor may still be exchanged for it. It waits for nobody, and is left out where the
        server takes no writes.

        With `AuthConfig.session_cache`, no read at all where the token was good a moment ago, and nothing was ended
        here since. With a replica (`ReplicaReads`), the read is answered by that where it has seen enough; the second
        statement is the primary's, and waited for at the first use of a pair alone.

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
        kept, key = self._kept, b""
        if kept is not None and (recalled := kept.find(key := kept.key(access_token))):
            return recalled
        presented = self._presented(access_token, key)
        if self._replica is not None:
            with self._replica.whole_call():
                return self._by_replica(self._replica, presented)
        return self._by_primary(presented)

    def _by_primary(self, presented: Presented) -> Identity:
        identity, is_due = self._judged(presented, self._asked(presented))
        if is_due:
            self._touch([(identity.session_id, presented.access_token_hash)])
        return identity

    def _by_replica(self, replica: Replica, presented: Presented) -> Identity:
        (answer,) = self._replicated(replica, [presented])
        if answer is None:
            return self._by_primary(presented)
        identity, first = self._judged_by(replica, presented, answer)
        if first:
            replica.write_use(first)
        return identity

    def _replicated(self, replica: Replica, group: Sequence[Presented]) -> list[Answer | None]:
        """Return what a replica says of each that it does not refuse, and that nothing was ended of here since."""
        seen = replica.ask(
            statements.AUTHENTICATE_ON_REPLICA,
            in_seconds(self._of_many(group)),
            read_clock(self._config),
        )
        if seen is None:
            return [None] * len(group)
        found = {number: row for _, number, *row in seen.rows}
        return [
            Answer(row, seen.as_of)
            if (row := found.get(number)) and not MARKS.void(seen.as_of, presented.selector_hash, row[2])
            else None
            for number, presented in enumerate(group, 1)
        ]

    def _judged_by(self, replica: Replica, presented: Presented, answer: Answer) -> tuple[Identity, Use | None]:
        """Return who it is, and a first use of a pair, which is to be written before anyone is let in."""
        identity, is_due = self._judged(presented, answer.row, answer.as_of)
        use, is_first = (identity.session_id, presented.access_token_hash), answer.row[-1]
        if is_due and replica.is_due(use, answer.as_of):
            if is_first:
                return identity, use
            replica.note_use(use)
        return identity, None

    def _presented(self, access_token: str, key: bytes) -> Presented:
        token, begun = self._session_token(Kind.ACCESS, access_token), elapsed()
        digest = self._hasher.digest(Purpose.ACCESS, token.proof, token.pepper_id)
        return Presented(key, selector_hash(token.selector), digest, begun)

    def _asked(self, presented: Presented) -> Row | None:
        rows = self._runner.fetch(*self._question(presented))
        return rows[0] if rows else None

    def _question(self, presented: Presented) -> tuple[str, Mapping[str, object]]:
        statement = statements.AUTHENTICATE if self._kept is None else statements.AUTHENTICATE_TO_KEEP
        given = {
            "selector_hash": presented.selector_hash,
            "access_token_hash": presented.access_token_hash,
            "touch_interval": self._config.touch_interval,
        }
        return self._text(statement, given)

    def _of_many(self, group: Sequence[Presented]) -> dict[str, object]:
        return {
            "selector_hashes": Binaries(presented.selector_hash for presented in group),
            "access_token_hashes": Binaries(presented.access_token_hash for presented in group),
            "touch_interval": self._config.touch_interval,
        }

    def _judged(self, presented: Presented, row: Row | None, as_of: float | None = None) -> tuple[Identity, bool]:
        """Return who it is, and whether that is still to be written."""
        if row is None:
            raise InvalidTokenError
        verdict, session_id, user_id, email, role, authenticated_at, expires_at, asked_at, touch, *_ = row
        if verdict != "ok":
            raise refusal(verdict)
        asked_at = asked_at.astimezone(UTC)  # so that durations from it are not by the clocks of the session's zone
        identity = Identity(
            user_id=user_id,
            email=email,
            role=ROLES[role],
            session_id=session_id,
            authenticated_at=authenticated_at,
            expires_at=expires_at,
            asked_at=asked_at,
        )
        if self._kept is not None and touch is False:  # none where the answer is not to be kept
            begun, to_keep = presented.begun, identity
            if as_of is not None:
                to_keep = attrs.evolve(identity, asked_at=asked_at - timedelta(seconds=begun - as_of))
                begun = as_of
            self._kept.put(presented.key, presented.selector_hash, begun, to_keep)
        return identity, bool(touch)

    def _session_token(self, kind: Kind, text: str) -> SessionToken:
        token = SessionToken.parse(kind, text)
        self._hasher.accept(token.pepper_id)
        return token

    def _touch(self, used: Sequence[tuple[str, bytes]]) -> None:
        """Write that sessions are in use, given their ids and the hashes that they were asked by."""
        config = self._config
        parameters: dict[str, object] = {
            "session_ids": [session_id for session_id, _ in used],
            "access_token_hashes": [digest[:KEPT_BYTES] for _, digest in used],
            "touch_interval": config.touch_interval,
            "session_idle_ttl": config.session_idle_ttl,
        }
        self._sent(statements.TOUCH, parameters)
