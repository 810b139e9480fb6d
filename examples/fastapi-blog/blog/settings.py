"""What differs between machines, from the environment."""

import os
from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where things are.

    Attributes:
        database_url: PostgreSQL; None for `DATABASE_URL`.
        base_url: this application, as the reader of a mail reaches it.
        smtp_host: the mail server.
        smtp_port: its port.
        is_open: whether everybody may sign up; otherwise only those who are invited.
    """

    database_url: str | None = None
    base_url: str = "http://localhost:8000"
    smtp_host: str = "localhost"
    smtp_port: int = 1025
    is_open: bool = True

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read `BLOG_BASE_URL`, `BLOG_SMTP_HOST`, `BLOG_SMTP_PORT` and `BLOG_IS_OPEN` (`no`, or anything else)."""
        return cls(
            base_url=os.environ.get("BLOG_BASE_URL", cls.base_url),
            smtp_host=os.environ.get("BLOG_SMTP_HOST", cls.smtp_host),
            smtp_port=int(os.environ.get("BLOG_SMTP_PORT", cls.smtp_port)),
            is_open=os.environ.get("BLOG_IS_OPEN") != "no",
        )
