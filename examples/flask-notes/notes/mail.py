"""All that the application asks of a mailer, and two that do it."""

import smtplib
from email.message import EmailMessage
from typing import Protocol

__all__ = ["Mailer", "PrintingMailer", "SmtpMailer"]


class Mailer(Protocol):
    """Sends a mail. In tests it is `pgauthkit.testing.Outbox`."""

    def send(self, to: str, subject: str, text: str) -> None:
        """Send it, or hand it to a queue."""


class PrintingMailer:
    """For development: the mail is on the terminal."""

    def send(self, to: str, subject: str, text: str) -> None:
        """Print it."""
        print(f"To: {to}\nSubject: {subject}\n\n{text}")


class SmtpMailer:
    """Sends by a mail server."""

    def __init__(self, host: str) -> None:
        self._host = host

    def send(self, to: str, subject: str, text: str) -> None:
        """Send it, and wait until the server has it."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "notes@example.com", to, subject
        message.set_content(text)
        with smtplib.SMTP(self._host, timeout=10) as server:
            server.starttls()
            server.send_message(message)
