"""`AsyncUserRepository`: users, awaited."""

from typing import Generic, cast

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from typing_extensions import TypeVar

from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.models import User, UserRole
from pgauthkit.repositories.aio import AsyncRepository
from pgauthkit.repositories.aio.unit import sync_side
from pgauthkit.repositories.generic.includes import Include
from pgauthkit.repositories.users import UserRepository

__all__ = ["AsyncUserRepository"]


U = TypeVar("U", bound=User, default=User)


class AsyncUserRepository(AsyncRepository[U], Generic[U]):
    """The twin of `UserRepository`."""

    def __init__(self, db: AsyncSession | AsyncEngine, model: type[U] | None = None) -> None:
        super().__init__(db, model or cast("type[U]", User))
        self._users = UserRepository(sync_side(db), model)

    async def find_by_email(self, email: str, *, include: Include = ()) -> U | None:
        """Return the user with an address, or None: see `UserRepository.find_by_email`."""
        return await in_greenlet(self._users.find_by_email, email, include=include)

    async def set_role(self, user_id: str, role: UserRole) -> U:
        """Give a user a role: see `UserRepository.set_role`."""
        return await in_greenlet(self._users.set_role, user_id, role)

    async def ensure(self, email: str, *, role: UserRole = UserRole.USER) -> U:
        """Return the user with an address, who is made where there is none: see `UserRepository.ensure`."""
        return await in_greenlet(self._users.ensure, email, role=role)
