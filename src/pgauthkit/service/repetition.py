"""A sign-in that can be repeated: its tokens are derived from what the browser has, and what was presented."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from pgauthkit.hashing import KEPT_BYTES, Hasher
from pgauthkit.service.opening import Opening
from pgauthkit.service.pairs import FirstPair
from pgauthkit.statements.statement import Statement
from pgauthkit.tokens import SecretToken
from pgauthkit.values import SignIn

__all__ = ["Proof", "Use", "outcome", "why_refused"]

_NOTHING: Final = b""


@attrs.frozen
class Proof:
    """What the tokens of a sign-in are derived from; nothing of it is in the tables.

    Without the second, a binding that a stranger has planted in a browser would be enough for the owner's session.

    Attributes:
        browser: the binding, or the handoff; without one the tokens are random.
        presented: the link's secret, or the code.
    """

    browser: SecretToken | None
    presented: bytes = attrs.field(default=_NOTHING, repr=False)

    def pair(self, nonce: bytes) -> FirstPair | None:
        """Return the tokens that come of it, the same each time."""
        return None if self.browser is None else FirstPair.derived(self.browser.secret, nonce, self.presented)


@attrs.frozen
class Use:
    """A link or a code that is used, by what of `pgauthkit.statements.magic_links`."""

    statement: Callable[..., Statement]
    which: Mapping[str, object]
    proof: Proof
    device: str | None
    ip: str | None
    user_agent: str | None
    by: str


def outcome(  # noqa: PLR0917 - what a sign-in comes of
    hasher: Hasher, proof: Proof, opening: Opening, verdict: str, redirect_to: str | None, row: Sequence[Any]
) -> SignIn | None:
    """Return the sign-in that came of a verdict; None where none did.

    Args:
        hasher: for the hash of the row.
        proof: what is presented now.
        opening: that of this call.
        verdict: the statement's: `ok` where it has opened a session, `again` where one of before may be given again.
        redirect_to: where the person goes then.
        row: the nonce, the hash of the access token, the id of the session of before, whether the account is new, and
            what `Opening.signed_in` takes.
    """
    nonce, access_token_hash, session_id, created, *signed_in_as = row
    if verdict == "ok" and signed_in_as[0] is not None:
        return opening.signed_in(*signed_in_as, created=created, redirect_to=redirect_to)
    pair = proof.pair(nonce) if verdict == "again" else None
    # Other tokens came of it where the binding is the same and what was presented is not.
    if pair is None or not _is_same(pair.hashes(hasher)["access_token_hash"], access_token_hash):
        return None
    return attrs.evolve(opening, session_id=session_id, pair=pair).signed_in(*signed_in_as, redirect_to=redirect_to)


def _is_same(digest: bytes, kept: bytes) -> bool:
    """Compare as much as every row keeps: the rows of before keep more, and so may the release that wrote this one."""
    return hmac.compare_digest(digest[:KEPT_BYTES], kept[:KEPT_BYTES])


def why_refused(verdict: str, *, is_known: bool) -> str:
    """Return the reason why a verdict came to no sign-in; `is_known`: the address has an account."""
    return {"ok": "inactive" if is_known else "closed", "again": "used"}.get(verdict, verdict)
