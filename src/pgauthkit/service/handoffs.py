"""Handoffs: ask on one device, open the mail on another, and be signed in on the first."""

from datetime import timedelta
from functools import partial
from typing import Final

from pgauthkit.browser import browser_of
from pgauthkit.client import clean_ip, clean_user_agent
from pgauthkit.errors import (
    ApprovalPendingError,
    InvalidCodeError,
    InvalidTokenError,
    RateLimitedError,
    TokenAlreadyUsedError,
)
from pgauthkit.identifiers import new_id
from pgauthkit.service.base import Service, refusal, who
from pgauthkit.service.limits import match_limits, parameters
from pgauthkit.service.matching import MATCH_ATTEMPTS, match_hash, normal_match
from pgauthkit.service.opening import Opening
from pgauthkit.service.pairs import new_nonce
from pgauthkit.service.presented import accepted, digest
from pgauthkit.service.repetition import Proof, outcome, why_refused
from pgauthkit.statements import handoffs as statements
from pgauthkit.tokens import Kind, SecretToken, pasted
from pgauthkit.values import SignIn

__all__ = ["Handoffs"]

ASK_AGAIN_AFTER: Final = timedelta(seconds=3)


class Handoffs(Service):
    """What `AuthService` does with sign-ins across two devices."""

    def approve_magic_link(
        self, token: str, match: str, *, ip: str | None = None, user_agent: str | None = None
    ) -> None:
        """Let the browser in that asked for a link, from the device where the mail was opened. One statement.

        Nobody is signed in on this device. Show what `peek_magic_link` says of who asked, and have the number typed
        that the waiting page shows: offered for picking, it would be guessed. No binding is asked for, also under
        `require_binding`, since the session can only open in the browser that asked. From now the link signs in nobody
        else; it waits for that browser for at least 60 seconds.

        Args:
            token: from the link; what a mail program leaves around it does not count.
            match: what the person typed; blanks do not count.
            ip: where the approval comes from; for the audit log.
            user_agent: the browser; for the audit log, as browser and system.

        Raises:
            InvalidTokenError: malformed or unknown, or no browser waits for it.
            TokenAlreadyUsedError: it has been used, or approved.
            TokenExpiredError: it has expired, or another link of the address was used.
            InvalidCodeError: the number is wrong; `attempts_left` says how many more will be looked at, of three.
            TooManyAttemptsError: three wrong numbers were typed. The link itself stays good.
            RateLimitedError: too many wrong numbers for the address (`RateLimits.wrong_matches`).
            UserInactiveError: the user was deactivated.
            SignUpClosedError: the address has no account, and `allow_sign_up` is off.

        Example:
            >>> auth.approve_magic_link(token, "47")  # doctest: +SKIP
        """
        link, ip = accepted(self._hasher, Kind.MAGIC_LINK, pasted(token)), clean_ip(ip)
        limits = match_limits(self._config, self._hasher)
        row = self._row(
            statements.approve_magic_link(limited=bool(limits)),
            token_hash=digest(self._hasher, Kind.MAGIC_LINK, link),
            match_hash=match_hash(self._hasher, link, normal_match(match)),
            match_attempts=MATCH_ATTEMPTS,
            allow_sign_up=self._config.allow_sign_up,
            **parameters(limits),
        )
        if row is None:
            raise InvalidTokenError
        verdict, wait, attempts, link_id, email = row
        if verdict == "wrong":
            self._audit.tell("match_rejected", email=email, ip=ip, attempts=attempts)
            raise InvalidCodeError(MATCH_ATTEMPTS - attempts)
        if verdict == "limited":
            self._audit.tell("rate_limited", email=email, ip=ip, what="match")
            raise RateLimitedError(wait)
        if verdict != "ok":
            self._audit.tell("link_refused", email=email, ip=ip, why=verdict)
            raise refusal(verdict)
        browser = browser_of(clean_user_agent(user_agent)) or ""
        self._audit.tell("handoff_approved", email=email, ip=ip, link_id=link_id, browser=browser)

    def claim_sign_in(
        self, handoff: str, *, device: str | None = None, ip: str | None = None, user_agent: str | None = None
    ) -> SignIn:
        """Sign in the browser that waits, once the link is approved on another device.

        Its page asks this every few seconds: one read, which waits for nothing and writes nothing, and one statement
        more when it is let in. The same again within `AuthConfig.refresh_grace`, as after a lost answer: the same
        tokens, with `created` False. Wrong numbers, a closed sign-up and an unknown address look like pending.

        Args:
            handoff: from the browser's cookie, where the link was asked for with `handoff=True`.
            device: the token of this browser as a known device (`SignIn.device`), from its cookie. Where it is none of
                this user's, the browser becomes a new one, whose token replaces it.
            ip: where the request comes from; kept with the session.
            user_agent: the browser; kept with the session.

        Raises:
            ApprovalPendingError: nobody has approved it yet; ask again after `retry_after`.
            InvalidTokenError: malformed or unknown.
            TokenExpiredError: its links have expired, or another link of the address was used.
            TokenAlreadyUsedError: the link signed its opener in, or the sign-in was claimed.

        Example:
            >>> signed_in = auth.claim_sign_in(cookie)  # doctest: +SKIP
        """
        token = accepted(self._hasher, Kind.HANDOFF, handoff)
        handoff_hash = digest(self._hasher, Kind.HANDOFF, token)
        row = self._row(statements.WAIT_FOR_APPROVAL, handoff_hash=handoff_hash)
        if row is None:
            raise InvalidTokenError
        verdict, expires_at = row
        if verdict == "pending":
            raise ApprovalPendingError(ASK_AGAIN_AFTER, expires_at)
        if verdict != "claim":
            raise refusal(verdict)
        # Asked once more where the session is too new for the snapshot of the statement, which waited for the link.
        # If it is not there then, it is gone.
        claim = partial(self._claim, token, handoff_hash, device, ip, user_agent)
        signed_in = claim() or claim()
        if signed_in is None:
            raise TokenAlreadyUsedError
        return signed_in

    def _claim(
        self, token: SecretToken, handoff_hash: bytes, device: str | None, ip: str | None, user_agent: str | None
    ) -> SignIn | None:
        nonce, proof = new_nonce(self._hasher.current), Proof(token)
        opening = Opening.new(self._config, self._hasher, ip, user_agent, device, proof.pair(nonce))
        row = self._row(
            statements.claim_sign_in(on_device=opening.on_device),
            handoff_hash=handoff_hash,
            session_nonce=nonce,
            user_id=new_id(),
            allow_sign_up=self._config.allow_sign_up,
            refresh_grace=self._config.refresh_grace,
            **opening.row,
        )
        if row is None or row[0] == "retry":
            return None
        verdict, is_known, link_id, email, expires_at, redirect_to, *was = row
        found = outcome(self._hasher, proof, opening, verdict, redirect_to, was)
        if found is None:
            why = why_refused(verdict, is_known=is_known)
            if verdict != "pending":
                self._audit.tell("link_refused", email=email, ip=opening.ip, why=why)
            if verdict in {"ok", "pending"}:
                # Switched off, or sign-up closed, since the approval: as little to be learned as before it.
                raise ApprovalPendingError(ASK_AGAIN_AFTER, expires_at)
            raise refusal(why)
        if verdict == "again":
            self._audit.tell("sign_in_repeated", **who(found.user), ip=opening.ip, by="handoff")
        else:
            self._audit.tell("handoff_claimed", **who(found.user), ip=opening.ip, link_id=link_id)
            self._tell_signed_in(found, opening, by="handoff")
        return found
