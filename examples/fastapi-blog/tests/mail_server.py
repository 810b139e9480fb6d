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

    def newest_link(self) -> str:
        """Return the path and query of the link in the newest mail."""
        found = re.search(r"https://\S+", self.messages[-1].get_content())
        assert found
        parts = urlsplit(found[0])
        return f"{parts.path}?{parts.query}"
