"""A mail server that takes mail and keeps it."""

import email
import re
from email.message import EmailMessage
from email.policy import default
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["Mailbox"]


class Mailbox:
    """Where mail arrives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take a mail."""
        message = email.message_from_bytes(envelope.original_content or b"", policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"

    def newest_link(self, to: str | None = None) -> str:
        """Return the path and query of the newest link that was mailed, or mailed to an address."""
        for message in reversed(self.messages):
            found = re.search(r"https://\S+token=\S+", message.get_content())
            if found and to in {None, message["To"]}:
                parts = urlsplit(found[0])
                return f"{parts.path}?{parts.query}"
        raise LookupError("There is no link.")

    def subjects(self, to: str) -> list[str]:
        """Return what an address has been written about, the oldest first."""
        return [message["Subject"] for message in self.messages if message["To"] == to]
