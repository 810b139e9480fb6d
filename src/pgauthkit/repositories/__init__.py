"""Repositories for the host's own models, and for ours, in the host's session and transaction.

Example:
    >>> from pgauthkit.repositories import Repository, UserRepository, transaction
    >>> with transaction(engine) as db:  # doctest: +SKIP
    ...     user = UserRepository(db).ensure("ada@example.com")
    ...     post = Repository(db, Post).create(title="Hello World", author_id=user.id)
"""

from pgauthkit.repositories.aio import AsyncRepository
from pgauthkit.repositories.aio.magic_links import AsyncMagicLinkRepository
from pgauthkit.repositories.aio.sessions import AsyncSessionRepository
from pgauthkit.repositories.aio.transactions import AsyncAttempt, AsyncTransaction
from pgauthkit.repositories.aio.users import AsyncUserRepository
from pgauthkit.repositories.generic import Repository
from pgauthkit.repositories.generic.includes import Include, Nested
from pgauthkit.repositories.generic.paging import Page
from pgauthkit.repositories.magic_links import MagicLinkRepository
from pgauthkit.repositories.retrying import Isolation
from pgauthkit.repositories.sessions import SessionRepository
from pgauthkit.repositories.transactions import Attempt, Transaction, transaction
from pgauthkit.repositories.users import UserRepository

__all__ = [
    "AsyncAttempt",
    "AsyncMagicLinkRepository",
    "AsyncRepository",
    "AsyncSessionRepository",
    "AsyncTransaction",
    "AsyncUserRepository",
    "Attempt",
    "Include",
    "Isolation",
    "MagicLinkRepository",
    "Nested",
    "Page",
    "Repository",
    "SessionRepository",
    "Transaction",
    "UserRepository",
    "transaction",
]
