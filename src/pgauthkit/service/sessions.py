"""Sessions: refresh, open, end, list."""

from functools import partial
from typing import Final

import attrs

from pgauthkit.client import clean_ip
from pgauthkit.errors import InvalidTokenError, NotFoundError, RefreshTokenReusedError, UserInactiveError
from pgauthkit.hashing import Purpose, selector_hash
from pgauthkit.identifiers import is_storable
from pgauthkit.service.authentication import Authentication
from pgauthkit.service.base import id_or_none, refusal
from pgauthkit.service.opening import Opening, browser_as_kept
from pgauthkit.service.pairs import Pair, new_nonce
from pgauthkit.statements import sessions as statements
from pgauthkit.statements.statement import Statement
from pgauthkit.tokens import Kind, SessionToken, kind_of
from pgauthkit.user_agents import unpacked
from pgauthkit.values import SessionInfo, SignIn, TokenPair

__all__ = ["Sessions"]

_SIGN_OUT: Final = {
    Kind.ACCESS: (statements.SIGN_OUT_BY_ACCESS, Purpose.ACCESS, "access_token_hash"),
    Kind.REFRESH: (statements.SIGN_OUT_BY_REFRESH, Purpose.REFRESH, "refresh_token_hash"),
}


class Sessions(Authentication):
    """What `AuthService` does with sessions."""

    def refresh(self, refresh_token: str, *, ip: str | None = None, user_agent: str | None = None) -> TokenPair:
        """Exchange a refresh token for the next pair.

        One statement, which locks the session's row. The same token presented again gives the same pair again: however
        late, while nobody has used that pair (with a new time for its access token, where that has expired), and for
        `refresh_grace` after its first use. So several tabs, a lost answer and a retry all end at one pair. After that,
        and any older token, it ends the session.

        Args:
            refresh_token: from the latest `TokenPair`.
            ip: where the request comes from; kept with the session.
            user_agent: the browser; kept with the session.

        Raises:
            InvalidTokenError: malformed or unknown, or of a refresh that the database has lost in a failover or a
                restore; nothing was changed.
            TokenExpiredError: the session has ended or expired.
            SessionRevokedError: the session was ended, as `deactivate_user` does as well.
            RefreshTokenReusedError: the token had a successor; the session is revoked by now, whatever the caller does.
            UserInactiveError: the user is inactive, by another hand than `deactivate_user`'s.

        Example:
            >>> tokens = auth.refresh(tokens.refresh_token.reveal())  # doctest: +SKIP
        """
        presented = self._session_token(Kind.REFRESH, refresh_token)
        ip, nonce = clean_ip(ip), new_nonce(self._hasher.current)
        following = Pair.after(presented, nonce)
        rotation = self._rotation(presented, following, nonce)
        with self._ending(rotation["selector_hash"]):  # of the token of before, at the latest
            row = self._row(statements.REFRESH, ip=ip, browser=browser_as_kept(self._config, user_agent), **rotation)
        if row is None:
            raise InvalidTokenError
        verdict, session_id, user_id, email, kept_nonce, kept_ip, access_expires_at, ends_at, late = row
        tell = partial(self._audit.tell, user_id=user_id, session_id=session_id, email=email, ip=ip)
        if verdict == "reused":
            tell("refresh_replayed")
            raise RefreshTokenReusedError
        if verdict == "ahead":
            tell("refresh_ahead", generation=presented.generation)
            raise InvalidTokenError
        if verdict in {"same", "renewed"}:
            tell("refresh_converged", rotated_by_ip=kept_ip or "", late=max(int(late), 0))
            return Pair.after(presented, kept_nonce).value(session_id, access_expires_at, ends_at)
        if verdict != "rotated":
            raise refusal(verdict)
        tell("refreshed")
        return following.value(session_id, access_expires_at, ends_at)

    def open_session(
        self, user_id: str, *, device: str | None = None, ip: str | None = None, user_agent: str | None = None
    ) -> SignIn:
        """Sign a user in whom the host has proved another way. One statement; locks the user's row.

        Args:
            user_id: who.
            device: the token of this browser as a known device (`SignIn.device`), from its cookie; "" where it has
                none. Where it is none of this user's, the browser becomes a new one, whose token replaces it. With
                None the event `new_device` is left to the host, who may know the browser by other means.
            ip: where the request comes from; kept with the session.
            user_agent: the browser; kept with the session.

        Raises:
            NotFoundError: there is no such user.
            UserInactiveError: the user was deactivated.

        Example:
            >>> auth.open_session(user.id, ip="203.0.113.7").tokens  # doctest: +SKIP
        """
        opening = Opening.new(self._config, self._hasher, ip, user_agent, device)
        statement = statements.open_session(on_device=opening.on_device)
        if not is_storable(user_id) or not (row := self._row(statement, user_id=user_id, **opening.row)):
            raise NotFoundError("There is no such user.", table="users")
        if row[0] is None:
            raise UserInactiveError
        signed_in = opening.signed_in(*row)
        self._tell_signed_in(signed_in, opening, by="host", of_device=device is not None)
        return signed_in

    def sign_out(self, token: str, /) -> None:
        """End the session of an access or refresh token, expired or not. One statement.

        Nothing happens where the session is not there, or has ended already.

        Args:
            token: of the current pair of tokens, or of the one before.

        Raises:
            InvalidTokenError: nothing was ended: malformed, made with a pepper that is not known here, or of a session
                that lives on with other tokens, as when it was refreshed twice since.

        Example:
            >>> auth.sign_out(token)  # doctest: +SKIP
        """
        kind = kind_of(token)
        presented = self._session_token(kind, token)
        selector = presented.access_selector if kind is Kind.REFRESH else presented.selector
        statement, purpose, name = _SIGN_OUT[kind]
        digest = self._hasher.digest(purpose, presented.proof, presented.pepper_id)
        with self._ending(which := selector_hash(selector)):
            row = self._row(statement, selector_hash=which, **{name: digest})
        if row is None:
            return
        is_held, session_id, user_id = row
        if not is_held:
            raise InvalidTokenError
        self._audit.tell("signed_out", session_id=session_id, user_id=user_id)

    def list_sessions(self, user_id: str) -> list[SessionInfo]:
        """Return the live sessions of a user, newest first. One read.

        Example:
            >>> [session.user_agent for session in auth.list_sessions(user.id)]  # doctest: +SKIP
        """
        if not is_storable(user_id):
            return []
        rows = self._read(statements.LIST_SESSIONS, statements.LIST_SESSIONS_ON_REPLICA, user_id=user_id)
        fields = attrs.fields_dict(SessionInfo)
        found = [SessionInfo(**dict(zip(fields, row, strict=True))) for row in rows]
        return [attrs.evolve(session, user_agent=unpacked(session.user_agent)) for session in found]

    def revoke_session(self, user_id: str, session_id: str) -> bool:
        """End one session of a user; tell whether there was one to end. One statement.

        Example:
            >>> auth.revoke_session(identity.user_id, session_id)  # doctest: +SKIP
            True
        """
        if not (is_storable(user_id) and is_storable(session_id)):
            return False
        return bool(self._revoke(statements.REVOKE_SESSION, user_id, session_id=session_id))

    def revoke_sessions(self, user_id: str, *, keep: str | None = None) -> list[str]:
        """End all sessions of a user, or all but the one with the id `keep`; return the ids ended. One statement.

        Example:
            >>> auth.revoke_sessions(identity.user_id, keep=identity.session_id)  # doctest: +SKIP
        """
        if not is_storable(user_id):
            return []
        return self._revoke(statements.REVOKE_SESSIONS, user_id, keep=id_or_none(keep))

    def _rotation(self, presented: SessionToken, following: Pair, nonce: bytes) -> dict[str, object]:
        config, hashes = self._config, following.hashes(self._hasher)
        return {
            "selector_hash": selector_hash(following.access.selector),  # which is the same for all pairs of a session
            "refresh_token_hash": self._hasher.digest(Purpose.REFRESH, presented.proof, presented.pepper_id),
            "generation": presented.generation,
            "next_access_token_hash": hashes["access_token_hash"],
            "next_refresh_token_hash": hashes["refresh_token_hash"],
            "rotation_nonce": nonce,
            "refresh_grace": config.refresh_grace,
            "access_ttl": config.access_ttl,
            "session_idle_ttl": config.session_idle_ttl,
        }

    def _revoke(self, statement: Statement, user_id: str, **which: str | None) -> list[str]:
        with self._ending(user_id):
            ids = [row[0] for row in self._rows(statement, user_id=user_id, **which)]
        if ids:
            self._audit.tell("sessions_revoked", user_id=user_id, count=len(ids))
        return ids
