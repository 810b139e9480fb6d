"""Magic links, and the codes beside them: request, verify."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from pgauthkit.client import clean_ip, clean_user_agent
from pgauthkit.codes import normal_code
from pgauthkit.email_address import canonical_email
from pgauthkit.errors import (
    AuthenticationError,
    InvalidCodeError,
    InvalidTokenError,
    RateLimitedError,
    TokenAlreadyUsedError,
)
from pgauthkit.identifiers import is_storable, new_id
from pgauthkit.redirects import checked_redirect
from pgauthkit.service.base import Service, refusal, who
from pgauthkit.service.limits import Limits, code_limits, link_limits, parameters
from pgauthkit.service.new_link import NewLink
from pgauthkit.service.opening import Opening
from pgauthkit.service.pairs import new_nonce
from pgauthkit.service.presented import accepted, accepted_or_none, digest
from pgauthkit.service.repetition import Proof, Use, outcome, why_refused
from pgauthkit.statements import magic_links as statements
from pgauthkit.statements.codes import count_attempt
from pgauthkit.statements.rate_limits import take
from pgauthkit.tokens import Kind, SecretToken, pasted
from pgauthkit.values import IssuedMagicLink, SignIn

__all__ = ["Links"]


class Links(Service):
    """What `AuthService` does with magic links."""

    def request_magic_link(
        self,
        email: str,
        *,
        redirect_to: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        bind: bool | str = False,
        handoff: bool | str = False,
        device: str | None = None,
    ) -> IssuedMagicLink:
        """Make a link for an address, to be mailed by the host where `should_send` says so.

        One statement: it takes from the rate limits (the address's from this ip and network, theirs, the address's),
        and writes the link; with codes two, around argon2id, which a request that is refused does not cost. A refusal
        writes nothing, in no bucket. It does the same work, and returns the same shape, whether or not the address has
        an account. Older links stay good, so that a stranger who asks for links cannot end the owner's.

        Args:
            email: what the person typed.
            redirect_to: where to go after signing in: a path, or an address in `AuthConfig.allowed_redirects`.
            ip: where the request comes from. Without it the limits that count ips are skipped.
            user_agent: the browser, kept with the link.
            bind: whether the link shall work only in this browser; `binding` of the result goes into its cookie. To
                send the mail again pass the cookie's token: the result has the same, and each mail sent before stays
                good. A malformed one is replaced.
            handoff: whether this browser shall wait for the link to be approved on another device: `handoff` of the
                result goes into its cookie, for `claim_sign_in`, and `match` onto its page. To send the mail again
                pass the cookie's token: the number stays, and so does each mail sent before.
            device: the token of this browser as a known device (`SignIn.device`), from its cookie. A request for its
                user's address has a limit of its own (`RateLimits.per_device`), which strangers cannot use up; where
                that is empty, or it is none of theirs, the request counts as a stranger's.

        Raises:
            InvalidEmailError: it is no address.
            InvalidRedirectError: the redirect leads elsewhere.
            RateLimitedError: too many were asked for; nothing was written.

        Example:
            >>> link = auth.request_magic_link("ada@example.com", ip="203.0.113.7")  # doctest: +SKIP
            >>> link.url("https://app.example.com/sign-in")  # doctest: +SKIP
        """
        address, ip = canonical_email(email), clean_ip(ip)
        target = None if redirect_to is None else checked_redirect(redirect_to, self._config.allowed_redirects)
        link = NewLink.new(self._config, self._hasher, bind=bind, handoff=handoff)
        known = accepted_or_none(self._hasher, Kind.DEVICE, device)
        limits = link_limits(self._config, self._hasher, address, ip, known)
        counted: dict[str, object] = {"email": address, **self._device(known), **parameters(limits)}
        code_hash = None
        if link.code:
            # The limits first: a request that they refuse shall cost no slow hash.
            self._take(limits, counted, ip)
            code_hash = self._runner.compute(partial(self._hasher.hash_code, link.id, link.code))
        rows = self._rows(
            statements.request_magic_link(() if link.code else tuple(limits)),
            **link.hashes(self._hasher),
            **counted,
            code_hash=code_hash,
            redirect_to=target,
            ip=ip,
            user_agent=clean_user_agent(user_agent),
            magic_link_ttl=self._config.magic_link_ttl,
            allow_sign_up=self._config.allow_sign_up,
        )
        expires_at, wait, should_send = rows[0]
        if expires_at is None:
            raise self._limited(wait, address, ip, "magic_link")
        self._audit.tell("link_requested", email=address, ip=ip, link_id=link.id)
        return link.issued(email=address, redirect_to=target, expires_at=expires_at, should_send=should_send)

    def verify_magic_link(
        self,
        token: str,
        *,
        binding: str | None = None,
        device: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
    ) -> SignIn:
        """Use a link, once: sign its owner in, and make the account where there is none yet.

        One statement: it locks the link and then the user, consumes the link, sets `last_login_at`, ends the other
        pending links of the address that it sees, and opens a session. A refusal changes nothing.

        A button that is pressed twice, or an answer that was lost: with the right binding the same tokens come again
        within `AuthConfig.refresh_grace`, with `created` False, while the session was neither refreshed nor ended.
        Without a binding a link works once.

        Args:
            token: from the link; what a mail program leaves around it (blanks, brackets, a full stop) does not count.
            binding: from the browser's cookie, where the link was asked for with `bind=True`.
            device: the token of this browser as a known device (`SignIn.device`), from its cookie. Where it is none of
                this user's, the browser becomes a new one, whose token replaces it.
            ip: where the request comes from; kept with the session.
            user_agent: the browser; kept with the session.

        Raises:
            InvalidTokenError: malformed or unknown.
            TokenAlreadyUsedError: it has been used.
            TokenExpiredError: it has expired, or another link of the address was used.
            BindingMismatchError: asked for by another browser, or by none where a binding is required.
            UserInactiveError: the user was deactivated.
            SignUpClosedError: the address has no account, and `allow_sign_up` is off.

        Example:
            >>> signed_in = auth.verify_magic_link(token, ip="203.0.113.7")  # doctest: +SKIP
            >>> signed_in.tokens.access_token.reveal()  # doctest: +SKIP
        """
        link = accepted(self._hasher, Kind.MAGIC_LINK, pasted(token))
        proof = Proof(accepted_or_none(self._hasher, Kind.BINDING, binding), link.secret)
        which = {"token_hash": digest(self._hasher, Kind.MAGIC_LINK, link), "binding_hash": self._binding_hash(proof)}
        return self._sign_in(Use(statements.verify_magic_link, which, proof, device, ip, user_agent, "magic_link"))

    def verify_code(
        self,
        link_id: str,
        code: str,
        *,
        binding: str | None = None,
        device: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
    ) -> SignIn:
        """Use the short code of a link: sign its owner in as `verify_magic_link` does.

        Two statements around argon2id: the first counts the attempt, committed before the code is looked at, so that no
        race and no rollback gives another try; the second is that of a link. No lock is held in between. A repetition,
        as `verify_magic_link` has it, costs an attempt as well.

        Args:
            link_id: `IssuedMagicLink.id`, which the host kept for the browser that asked.
            code: what the person typed or pasted; only letters and digits count, in whatever case.
            binding: from the browser's cookie, where the link was asked for with `bind=True`; a wrong one counts for
                nothing.
            device: the token of this browser as a known device (`SignIn.device`), from its cookie: tries on one of the
                user's have an hourly budget of their own. Where it is none of theirs, the browser becomes a new one,
                whose token replaces it.
            ip: where the request comes from. Without it the hourly budget of address and ip is skipped.
            user_agent: the browser; kept with the session.

        Raises:
            InvalidTokenError: there is no such link.
            InvalidCodeError: the code is wrong, or the link has none; `attempts_left` says how many more will be
                looked at.
            TooManyAttemptsError: too many were tried for this link. The link itself stays good.
            RateLimitedError: too many were tried for this address from this ip, over all links.
            TokenAlreadyUsedError: the link has been used.
            TokenExpiredError: it has expired, or another link of the address was used.
            BindingMismatchError: asked for by another browser, or by none where a binding is required.
            UserInactiveError: the user was deactivated.
            SignUpClosedError: the address has no account, and `allow_sign_up` is off.

        Example:
            >>> signed_in = auth.verify_code(link.id, "BCDF-GHJK")  # doctest: +SKIP
        """
        if not is_storable(link_id):
            raise InvalidTokenError
        typed, known = normal_code(code), accepted_or_none(self._hasher, Kind.DEVICE, device)
        proof = Proof(accepted_or_none(self._hasher, Kind.BINDING, binding), typed.encode("utf-8", "surrogatepass"))
        which = {"link_id": link_id, "binding_hash": self._binding_hash(proof)}
        self._check_code(which, typed, clean_ip(ip), known)
        return self._sign_in(Use(statements.verify_code, which, proof, device, ip, user_agent, "code"))

    def _check_code(self, which: Mapping[str, object], code: str, ip: str | None, device: SecretToken | None) -> None:
        limits = code_limits(self._config, self._hasher, ip, device)
        row = self._row(
            count_attempt(tuple(limits)),
            **which,
            **self._device(device),
            code_attempts=self._config.code_attempts,
            require_binding=self._config.require_binding,
            magic_link_ttl=self._config.magic_link_ttl,
            refresh_grace=self._config.refresh_grace,
            **parameters(limits),
        )
        if row is None:
            raise InvalidTokenError
        verdict, wait, attempts, code_hash, email = row
        if verdict == "limited":
            raise self._limited(wait, email, ip, "code")
        if verdict != "ok":
            raise self._refused(verdict, email, ip)
        if not self._runner.compute(partial(self._hasher.matches_code, str(which["link_id"]), code, code_hash)):
            self._audit.tell("code_rejected", email=email, ip=ip, attempts=attempts)
            raise InvalidCodeError(self._config.code_attempts - attempts)

    def _sign_in(self, use: Use) -> SignIn:
        # Asked once more where the session is too new for the snapshot of the statement, which waited for the link.
        # If it is not there then, it is gone.
        signed_in = self._consume(use) or self._consume(use)
        if signed_in is None:
            raise TokenAlreadyUsedError
        return signed_in

    def _consume(self, use: Use) -> SignIn | None:
        nonce = new_nonce(self._hasher.current)
        pair = use.proof.pair(nonce)
        opening = Opening.new(self._config, self._hasher, use.ip, use.user_agent, use.device, pair)
        row = self._row(
            use.statement(is_bound=use.proof.browser is not None, on_device=opening.on_device),
            **use.which,
            **opening.row,
            session_nonce=nonce,
            user_id=new_id(),
            allow_sign_up=self._config.allow_sign_up,
            require_binding=self._config.require_binding,
            magic_link_ttl=self._config.magic_link_ttl,
            refresh_grace=self._config.refresh_grace,
        )
        if row is None:
            raise InvalidTokenError
        verdict, is_known, link_email, redirect_to, *was = row
        if verdict == "retry":
            return None
        found = outcome(self._hasher, use.proof, opening, verdict, redirect_to, was)
        if found is None:
            raise self._refused(why_refused(verdict, is_known=is_known), link_email, opening.ip)
        if verdict == "again":
            self._audit.tell("sign_in_repeated", **who(found.user), ip=opening.ip, by=use.by)
        else:
            self._tell_signed_in(found, opening, use.by)
        return found

    def _take(self, limits: Limits, counted: Mapping[str, object], ip: str | None) -> None:
        if not limits:
            return
        ((is_granted, wait),) = self._rows(take(tuple(limits)), **counted)
        if not is_granted:
            raise self._limited(wait, str(counted["email"]), ip, "magic_link")

    def _limited(self, wait: timedelta, email: str, ip: str | None, what: str) -> RateLimitedError:
        self._audit.tell("rate_limited", email=email, ip=ip, what=what)
        return RateLimitedError(wait)

    def _refused(self, verdict: str, email: str, ip: str | None) -> AuthenticationError:
        self._audit.tell("link_refused", email=email, ip=ip, why=verdict)
        return refusal(verdict)

    def _device(self, token: SecretToken | None) -> Mapping[str, object]:
        return {"device_hash": token and digest(self._hasher, Kind.DEVICE, token)}

    def _binding_hash(self, proof: Proof) -> bytes | None:
        # A binding that is not well-formed belongs to no browser; the link, not it, decides what the caller learns.
        return None if proof.browser is None else digest(self._hasher, Kind.BINDING, proof.browser)
