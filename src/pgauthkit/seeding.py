"""What a seed needs again and again: a user with a role, made where there is none."""

from collections.abc import Awaitable
from typing import overload

from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncSession

from pgauthkit.models import User, UserRole
from pgauthkit.repositories import AsyncUserRepository, UserRepository

__all__ = ["ensure_user"]


@overload
def ensure_user(db: orm.Session, email: str, role: UserRole = ...) -> User: ...


@overload
def ensure_user(db: AsyncSession, email: str, role: UserRole = ...) -> Awaitable[User]: ...


def ensure_user(db: orm.Session | AsyncSession, email: str, role: UserRole = UserRole.USER) -> User | Awaitable[User]:
    """Return the user with an address, who is made, with the role, where there is none. Awaited, with an async session.

    One INSERT … ON CONFLICT, so a seed may run again, and two at once. Who exists stays as they are, role included: a
    seed that runs again takes back nothing that was decided since.

    Args:
        db: the session that the seed was given.
        email: the address.
        role: of a new user.

    Raises:
        InvalidEmailError: it is no address.
        RepositoryError: there is no such role.

    Example:
        >>> def main(db: orm.Session) -> None:
        ...     ensure_user(db, "admin@example.com", role=UserRole.ADMIN)
    """
    if isinstance(db, AsyncSession):
        return AsyncUserRepository(db).ensure(email, role=role)
    return UserRepository(db).ensure(email, role=role)
