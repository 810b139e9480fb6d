"""The mails of the blog, over SMTP."""

from email.message import EmailMessage

import aiosmtplib

from blog.settings import Settings
from pgauthkit.browser import browser_of
from pgauthkit.values import EmailChange, IssuedMagicLink

__all__ = ["send_change", "send_invitation", "send_link", "send_moved", "send_new_device"]


async def send_link(link: IssuedMagicLink, settings: Settings) -> None:
    """Mail a link to its canonical address, and nowhere else. The number of the waiting page is in no mail."""
    await _send(
        settings,
        link.email,
        "Sign in to the blog",
        "Open this within ten minutes, on any of your devices:",
        link.url(f"{settings.base_url}/confirm"),
        "You did not ask for it? Then do nothing, and type no number that somebody tells you.",
    )


async def send_invitation(link: IssuedMagicLink, settings: Settings) -> None:
    """Mail an invitation."""
    await _send(
        settings,
        link.email,
        "You are invited to the blog",
        "You may write on the blog. Open this within a week to begin:",
        link.url(f"{settings.base_url}/confirm"),
    )


async def send_change(link: IssuedMagicLink, settings: Settings) -> None:
    """Mail the link of a change of address to the new address."""
    await _send(
        settings,
        link.email,
        "Your new address at the blog",
        "You sign in by this address once you have opened this, within ten minutes, where you are signed in already:",
        link.url(f"{settings.base_url}/address/confirm"),
        "You did not ask for it? Then do nothing.",
    )


async def send_moved(change: EmailChange, settings: Settings) -> None:
    """Tell the old address that it is no longer the one of the account."""
    await _send(
        settings,
        change.old_email,
        "Your address at the blog has changed",
        f"Your account moved to {change.email}, and this address does not sign in any more.",
        "It was not you? Then answer this mail at once.",
    )


async def send_new_device(email: str, ip: str | None, user_agent: str | None, settings: Settings) -> None:
    """Tell somebody that they signed in where they never had before."""
    await _send(
        settings,
        email,
        "A new browser is signed in to the blog",
        f"{browser_of(user_agent) or 'A browser'} at {ip or 'an unknown address'} is signed in as you now.",
        f"It was not you? Then end it: {settings.base_url}/sessions",
    )


async def _send(settings: Settings, to: str, subject: str, *paragraphs: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "blog@example.com", to
    message.set_content("\n\n".join(paragraphs) + "\n")
    await aiosmtplib.send(message, hostname=settings.smtp_host, port=settings.smtp_port, start_tls=False)
