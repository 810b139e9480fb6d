"""Sending the link, over SMTP."""

from email.message import EmailMessage

import aiosmtplib

from blog.settings import Settings
from pgauthkit.values import IssuedMagicLink

__all__ = ["send_link"]


async def send_link(link: IssuedMagicLink, settings: Settings) -> None:
    """Mail a link to its canonical address, and nowhere else."""
    message = EmailMessage()
    message["Subject"] = "Sign in to the blog"
    message["From"] = "blog@example.com"
    message["To"] = link.email
    message.set_content(
        "Open this to sign in, within ten minutes and in a browser of your own:\n\n"
        f"{link.url(f'{settings.base_url}/confirm')}\n\n"
        "You did not ask for it? Then do nothing.\n"
    )
    await aiosmtplib.send(message, hostname=settings.smtp_host, port=settings.smtp_port, start_tls=False)
