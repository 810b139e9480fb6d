"""`SessionRepository`: sessions, as an administrator looks at them."""

from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, and_, func, orm

from pgauthkit.models import Session
from pgauthkit.repositories.generic import Repository
from pgauthkit.repositories.generic.includes import Include

__all__ = ["SessionRepository"]


class SessionRepository(Repository[Session]):
    """The sessions. To end one, ask `AuthService.revoke_session`, which says so in the audit log.

    Args:
        db: the host's session, or an engine; see `Repository`.

    Example:
        >>> sessions = SessionRepository(db)  # doctest: +SKIP
        >>> sessions.page(sessions.is_live(), order_by="-created_at", size=50, include="user")  # doctest: +SKIP
    """

    def __init__(self, db: orm.Session | Engine) -> None:
        super().__init__(db, Session)

    @staticmethod
    def is_live() -> ColumnElement[bool]:
        """Return the condition for sessions that are neither revoked nor over, on database time; no statement.

        Example:
            >>> sessions.count(SessionRepository.is_live())  # doctest: +SKIP
            12
        """
        now = func.statement_timestamp()
        return and_(Session.revoked_at.is_(None), Session.idle_expires_at > now, Session.expires_at > now)

    def find_live(self, user_id: str | None = None, *, take: int | None = None, include: Include = ()) -> list[Session]:
        """Return live sessions, newest first: of one user, or of all. One statement; it locks nothing.

        Args:
            user_id: whose; of everybody when not given.
            take: at most so many.
            include: as with `find_many`, such as `"user"`.

        Raises:
            RepositoryError: there is no such relation.

        Example:
            >>> [session.ip for session in sessions.find_live(user.id)]  # doctest: +SKIP
            ['203.0.113.7']
        """
        where = [self.is_live()] if user_id is None else [self.is_live(), Session.user_id == user_id]
        return self.find_many(*where, order_by=["-created_at", "-id"], take=take, include=include)

    def count_live(self, user_id: str | None = None) -> int:
        """Return how many sessions are live: of one user, or of all. One statement; it locks nothing.

        Example:
            >>> sessions.count_live(user.id)  # doctest: +SKIP
            1
        """
        return self.count(self.is_live()) if user_id is None else self.count(self.is_live(), user_id=user_id)

    def count_live_by_user(self, *, take: int | None = None) -> list[Row[*tuple[Any, ...]]]:
        """Return rows of `user_id` and `total`, of those with the most live sessions. One statement; it locks nothing.

        Args:
            take: at most so many users.

        Example:
            >>> sessions.count_live_by_user(take=10)[0].total  # doctest: +SKIP
            7
        """
        return self.group_by("user_id", self.is_live(), order_by=["-total", "user_id"], take=take, total=func.count())
