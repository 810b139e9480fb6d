"""`MagicLinkRepository`: magic links, as an administrator looks at them."""

from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, and_, func, orm

from pgauthkit.email_address import canonical_email
from pgauthkit.models import MagicLink
from pgauthkit.repositories.generic import Repository
from pgauthkit.repositories.generic.includes import Include

__all__ = ["MagicLinkRepository"]


class MagicLinkRepository(Repository[MagicLink]):
    """The magic links. They are made and used by `AuthService` only.

    Args:
        db: the host's session, or an engine; see `Repository`.

    Example:
        >>> MagicLinkRepository(db).count_pending("ada@example.com")  # doctest: +SKIP
        1
    """

    def __init__(self, db: orm.Session | Engine) -> None:
        super().__init__(db, MagicLink)

    @staticmethod
    def is_pending() -> ColumnElement[bool]:
        """Return the condition for links that can still be used, on database time; no statement.

        Example:
            >>> links.page(MagicLinkRepository.is_pending(), order_by="-created_at", size=50)  # doctest: +SKIP
        """
        over = MagicLink.expires_at <= func.statement_timestamp()
        return and_(MagicLink.used_at.is_(None), MagicLink.revoked_at.is_(None), ~over)

    def find_pending(
        self, email: str | None = None, *, take: int | None = None, include: Include = ()
    ) -> list[MagicLink]:
        """Return pending links, newest first: of one address, or of all. One statement; it locks nothing.

        Args:
            email: whose, however it is written; of everybody when not given.
            take: at most so many.
            include: as with `find_many`, such as `"user"`.

        Raises:
            InvalidEmailError: it is no address.
            RepositoryError: there is no such relation.

        Example:
            >>> [link.ip for link in links.find_pending("ada@example.com")]  # doctest: +SKIP
            ['203.0.113.7']
        """
        return self.find_many(*self._pending(email), order_by=["-created_at", "-id"], take=take, include=include)

    def count_pending(self, email: str | None = None) -> int:
        """Return how many links are pending: of one address, or of all. One statement; it locks nothing.

        Raises:
            InvalidEmailError: it is no address.

        Example:
            >>> links.count_pending()  # doctest: +SKIP
            3
        """
        return self.count(*self._pending(email))

    def count_pending_by_email(self, *, take: int | None = None) -> list[Row[*tuple[Any, ...]]]:
        """Return rows of `email` and `total`, of those with the most pending links. One statement; it locks nothing.

        Args:
            take: at most so many addresses.

        Example:
            >>> links.count_pending_by_email(take=10)[0].total  # doctest: +SKIP
            5
        """
        return self.group_by("email", self.is_pending(), order_by=["-total", "email"], take=take, total=func.count())

    def _pending(self, email: str | None) -> list[ColumnElement[bool]]:
        whose = [] if email is None else [MagicLink.email == canonical_email(email)]
        return [self.is_pending(), *whose]
