"""What an application's class of users has put on our table: its columns, with their constraints and indexes."""

from typing import Any, Final

from pgauthkit.models import SCHEMA, User
from pgauthkit.models.account import standing
from pgauthkit.models.owned import is_own

__all__ = ["declared_by", "declared_on_users"]

_USERS: Final = f"{SCHEMA}.users"


def declared_on_users() -> frozenset[str]:
    """Return the names, as the catalog has them, of what the application's class declares; none without one.

    Example:
        >>> declared_on_users()  # doctest: +SKIP
        frozenset({'pgauthkit.users.phone', 'pgauthkit.users.uq_users_phone'})
    """
    table: Any = User.__table__
    names = {f"{_USERS}.{thing.name}" for thing in (*table.columns, *table.constraints) if _is_theirs(thing.name)}
    return frozenset(names | {f"{SCHEMA}.{index.name}" for index in table.indexes if _is_theirs(index.name)})


def declared_by(name: str) -> str | None:
    """Return the name of the class that declares something on our users; None for what is ours, or nobody's.

    Example:
        >>> declared_by("pgauthkit.users.email")
        >>> declared_by("pgauthkit.users.phone")  # doctest: +SKIP
        'Account'
    """
    return standing(User.__mapper__).__name__ if name in declared_on_users() else None


def _is_theirs(name: object) -> bool:
    return isinstance(name, str) and not is_own("users", name)
