"""`Outbox`: a mailer that keeps what an application sends, and finds the links in it."""

import re
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from typing import Final, overload

import attrs

from pgauthkit.email_address import canonical_email
from pgauthkit.tokens import Kind

__all__ = ["Mail", "Outbox"]

_URL: Final = re.compile(r"https?://[^\s<>\"']+")
_TOKEN: Final = re.compile(rf"pgak_(?:{Kind.MAGIC_LINK}|{Kind.EMAIL_CHANGE})_[0-9A-Za-z]+")


@attrs.frozen(kw_only=True)
class Mail:
    """A mail that was sent. Its text may hold a secret, so it is not in the repr.

    Attributes:
        to: the address that it went to.
        subject: its subject.
        text: its plain text.

    Example:
        >>> Mail(to="ada@example.com", subject="Sign in", text="Open https://app.example.com/confirm?token=x").url
        'https://app.example.com/confirm?token=x'
    """

    to: str
    subject: str
    text: str = attrs.field(repr=False)

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses in the text, in their order."""
        return tuple(_URL.findall(self.text))

    @property
    def url(self) -> str:
        """The first address in the text.

        Raises:
            LookupError: there is none.
        """
        if not self.urls:
            raise LookupError(f"There is no address in the mail {self.subject!r}.")
        return self.urls[0]

    @property
    def token(self) -> str:
        """The token of the link in the text, for `verify_magic_link` or, of a change, `confirm_email_change`.

        Raises:
            LookupError: there is none.
        """
        found = _TOKEN.search(self.text)
        if found is None:
            raise LookupError(f"There is no magic link in the mail {self.subject!r}.")
        return found[0]


class Outbox(Sequence[Mail]):
    """The mails that were sent in a test, the oldest first. Give it to the application in place of its mailer.

    It is true even while it is empty, as a mailer is: ask `len(outbox)`.

    Example:
        >>> outbox = Outbox()
        >>> outbox.send("ada@example.com", "Sign in", "https://app.example.com/confirm?token=…")
        >>> outbox.last("Ada@Example.com").url
        'https://app.example.com/confirm?token=…'
    """

    def __init__(self) -> None:
        self._mails: list[Mail] = []

    def send(self, to: str, subject: str, text: str) -> None:
        """Keep a mail."""
        self._mails.append(Mail(to=to, subject=subject, text=text))

    def send_message(self, message: EmailMessage) -> None:
        """Keep a message of the standard library, by the name that `smtplib.SMTP` has for it."""
        body = message.get_body(("plain", "html"))
        self.send(message["To"], message["Subject"], body.get_content() if body else "")

    def last(self, to: str | None = None) -> Mail:
        """Return the newest mail, or the newest to an address, however it is written.

        Args:
            to: the address; None for any.

        Raises:
            LookupError: there is none.
        """
        wanted = None if to is None else canonical_email(to)
        for mail in reversed(self._mails):
            if wanted in {None, mail.to, canonical_email(mail.to)}:
                return mail
        raise LookupError(f"There is no mail to {to}." if to else "There is no mail.")

    def clear(self) -> None:
        """Forget all mails."""
        self._mails.clear()

    @overload
    def __getitem__(self, index: int) -> Mail: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mail]: ...
    def __getitem__(self, index: int | slice) -> Mail | Sequence[Mail]:
        return self._mails[index]

    def __iter__(self) -> Iterator[Mail]:
        return iter(self._mails)

    def __len__(self) -> int:
        return len(self._mails)

    def __bool__(self) -> bool:
        # So that `mailer or default` takes an outbox that has no mail yet.
        return True
