"""`UserRepository`: users, by their canonical address."""

from typing import Generic, cast

from sqlalchemy import Engine, orm
from typing_extensions import TypeVar

from pgauthkit.email_address import canonical_email
from pgauthkit.models import User, UserRole
from pgauthkit.repositories.generic import Repository
from pgauthkit.repositories.generic.includes import Include

__all__ = ["UserRepository"]


U = TypeVar("U", bound=User, default=User)


class UserRepository(Repository[U], Generic[U]):
    """The users. To deactivate one, or to change an address, ask `AuthService`, which ends sessions and links as well.

    Args:
        db: the host's session, or an engine; see `Repository`.
        model: the application's own class of users, for the types; without it the same objects come, typed as `User`.

    Example:
        >>> UserRepository(db).find_by_email("ada@example.com")  # doctest: +SKIP
        >>> UserRepository(db, Account).find_unique(id=user.id, include=["posts"])  # doctest: +SKIP
    """

    def __init__(self, db: orm.Session | Engine, model: type[U] | None = None) -> None:
        super().__init__(db, model or cast("type[U]", User))

    def find_by_email(self, email: str, *, include: Include = ()) -> U | None:
        """Return the user with an address, however it is written, or None. One statement; it locks nothing.

        Args:
            email: what the person typed.
            include: as with `find_unique`.

        Raises:
            InvalidEmailError: it is no address.
            RepositoryError: there is no such relation.

        Example:
            >>> users.find_by_email("Ada@Example.com").email  # doctest: +SKIP
            'ada@example.com'
        """
        return self.find_unique(email=canonical_email(email), include=include)

    def set_role(self, user_id: str, role: UserRole) -> U:
        """Give a user a role, and return the user. One UPDATE … RETURNING, which locks the row.

        Raises:
            NotFoundError: there is no such user.
            RepositoryError: there is no such role.

        Example:
            >>> users.set_role(user.id, UserRole.ADMIN).role  # doctest: +SKIP
            <UserRole.ADMIN: 'ADMIN'>
        """
        return self.update({"id": user_id}, role=role)

    def ensure(self, email: str, *, role: UserRole = UserRole.USER) -> U:
        """Return the user with an address, who is made where there is none. One INSERT … ON CONFLICT, for seeds.

        Who exists stays as they are, role included. It locks the row; who does the same at the same time waits.

        Raises:
            InvalidEmailError: it is no address.
            RepositoryError: there is no such role.

        Example:
            >>> users.ensure("admin@example.com", role=UserRole.ADMIN)  # doctest: +SKIP
        """
        return self.upsert({"email": email}, create={"role": role}, update={})
