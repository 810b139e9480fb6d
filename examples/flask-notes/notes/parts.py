"""What the application was put together from."""

from dataclasses import dataclass
from typing import cast

from flask import current_app
from sqlalchemy import Engine

from notes.mail import Mailer
from pgauthkit import AuthService

__all__ = ["NAME", "Parts", "parts"]

NAME = "notes"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What every page needs.

    Attributes:
        engine: the database.
        auth: pgauthkit's service.
        mailer: sends mail.
        base_url: this application's address, as the reader of a mail reaches it.
    """

    engine: Engine
    auth: AuthService
    mailer: Mailer
    base_url: str


def parts() -> Parts:
    """Return the parts of the application that answers this request."""
    return cast("Parts", current_app.extensions[NAME])
