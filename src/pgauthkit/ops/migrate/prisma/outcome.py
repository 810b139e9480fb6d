"""What becomes of users that are taken over: taken, there before, merged, or refused."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from sqlalchemy import Row

from pgauthkit.email_address import canonical_email
from pgauthkit.errors import InvalidEmailError
from pgauthkit.values import UserRole

__all__ = ["Adoption", "Merged", "Refused", "judged"]

_ROLES: Final = f"{', '.join(UserRole)}: name a column that has one of them, or none, for everybody to be a USER"


@attrs.frozen(kw_only=True)
class Merged:
    """A user whose address another user has already, once canonical, as `Ada@example.com` is `ada@example.com`.

    Attributes:
        id: the user who was not taken.
        kept: the user who has the address, in our table.
        email: the canonical address.
    """

    id: str
    kept: str
    email: str


@attrs.frozen(kw_only=True)
class Refused:
    """A user who could not be taken.

    Attributes:
        id: the user.
        reason: why, in a sentence.
    """

    id: str
    reason: str


@attrs.frozen(kw_only=True)
class Adoption:
    """What became of the users; the four together are all of them.

    Attributes:
        taken: how many were taken now.
        present: how many had been taken before.
        merged: those whose address another user has already.
        refused: those who could not be taken.

    Example:
        >>> (Adoption(taken=2, present=1) + Adoption(taken=1)).total
        4
    """

    taken: int = 0
    present: int = 0
    merged: tuple[Merged, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def total(self) -> int:
        """How many users were looked at."""
        return self.taken + self.present + len(self.merged) + len(self.refused)

    def __add__(self, other: "Adoption") -> "Adoption":
        return Adoption(
            taken=self.taken + other.taken,
            present=self.present + other.present,
            merged=self.merged + other.merged,
            refused=self.refused + other.refused,
        )


def judged(rows: Sequence[Row[Any]]) -> tuple[Mapping[str, str], tuple[Refused, ...]]:
    """Return the canonical address of each user by id, and those who cannot be taken.

    Args:
        rows: with `id`, `email` and `role`.

    Example:
        >>> judged([])
        ({}, ())
    """
    emails: dict[str, str] = {}
    refused: list[Refused] = []
    for row in rows:
        if row.role not in UserRole.__members__:
            refused.append(Refused(id=row.id, reason=f"The role {row.role} is none of {_ROLES}."))
        elif row.email is None:
            refused.append(Refused(id=row.id, reason="There is no address."))
        else:
            try:
                emails[row.id] = canonical_email(row.email)
            except InvalidEmailError as error:
                refused.append(Refused(id=row.id, reason=str(error)))
    return emails, tuple(refused)
