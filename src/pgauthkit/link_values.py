"""The frozen values that the service returns of links; `pgauthkit.values` has them all."""

from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlencode

import attrs

from pgauthkit.secret import Secret

__all__ = ["EmailChange", "IssuedMagicLink", "MagicLinkPreview"]


@attrs.frozen(kw_only=True)
class IssuedMagicLink:
    """A link that was made, to be mailed by the host.

    Attributes:
        id: the link's row; a code is only good together with it.
        email: the canonical address: mail goes here and nowhere else.
        token: the secret of the link.
        code: the code to type instead, where `AuthConfig.codes` is on.
        binding: the secret for the browser that asked, where `bind=True`.
        handoff: the secret with which the browser that asked waits (`claim_sign_in`), where `handoff=True`.
        match: the number, 10 to 99, that its page shows meanwhile; it must stand in no mail.
        redirect_to: where to go after signing in.
        expires_at: when it ends, on database time.
        should_send: False where nobody must get a mail: sign-up is closed, or the user is inactive.

    Example:
        >>> link = auth.request_magic_link("ada@example.com")  # doctest: +SKIP
        >>> if link.should_send:  # doctest: +SKIP
        ...     send(to=link.email, text=link.url("https://app.example.com/confirm"))
    """

    id: str
    email: str
    token: Secret
    code: Secret | None = None
    binding: Secret | None = None
    handoff: Secret | None = None
    match: str | None = attrs.field(default=None, repr=False)
    redirect_to: str | None = None
    expires_at: datetime
    should_send: bool

    def url(self, base: str, param: str = "token") -> str:
        """Return the address to mail: `base` with the token as one more query parameter. It shows the secret.

        It comes before a fragment such as `#top`, and into one that is a route (`#/confirm`), where a router in the
        browser reads it. All else of `base` stays as it is, also where the scheme is an app's own.

        Example:
            >>> link.url("https://app.example.com/sign-in")  # doctest: +SKIP
            'https://app.example.com/sign-in?token=pgak_ml_…'
        """
        # As text, since urlunsplit changes what urlsplit takes apart: `myapp:///confirm` becomes `myapp:/confirm`.
        page, mark, fragment = base.partition("#")
        parameter = urlencode({param: self.token.reveal()})
        if fragment.startswith(("/", "!/")):
            return f"{page}#{_with_parameter(fragment, parameter)}"
        return f"{_with_parameter(page, parameter)}{mark}{fragment}"


def _with_parameter(address: str, parameter: str) -> str:
    mark = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{mark}{parameter}"


@attrs.frozen(kw_only=True)
class MagicLinkPreview:
    """What a page may show before the person confirms: whose link, where to, until when, and who asked for it.

    Attributes:
        email: the address that the link was mailed to.
        redirect_to: where to go after signing in.
        expires_at: when it ends.
        purpose: `sign_in` and `invite` are used by `verify_magic_link`, `email_change` by `confirm_email_change`.
        asked_at: when it was asked for.
        asked_ip: where from, as the host said.
        asked_browser: browser and system, such as `Firefox on Windows`, out of a fixed list of words: what the one who
            asked sent as their browser is never shown, since it could be a sentence.
        handoff: whether a browser waits for it to be approved by `approve_magic_link`.

    Example:
        >>> auth.peek_magic_link(token).email  # doctest: +SKIP
        'ada@example.com'
    """

    email: str
    redirect_to: str | None
    expires_at: datetime
    purpose: Literal["sign_in", "invite", "email_change"] = "sign_in"
    asked_at: datetime = attrs.field(factory=lambda: datetime.now(UTC), eq=False)
    asked_ip: str | None = None
    asked_browser: str | None = None
    handoff: bool = False


@attrs.frozen(kw_only=True)
class EmailChange:
    """An address that has moved.

    Attributes:
        user_id: whose.
        old_email: the address until now, whose owner may be told.
        email: the address from now on.
        ended: the ids of the sessions that ended, so that a host can close what hangs on them.

    Example:
        >>> change = auth.confirm_email_change(token)  # doctest: +SKIP
        >>> send(to=change.old_email, text=f"Your account moved to {change.email}.")  # doctest: +SKIP
    """

    user_id: str
    old_email: str
    email: str
    ended: list[str]
