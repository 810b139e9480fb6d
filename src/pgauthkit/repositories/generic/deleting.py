"""Deleting, softly where the model is a `SoftDelete`, and restoring."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import Column, UpdateBase, delete, func, update

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.assignments import touched
from pgauthkit.repositories.generic.conditions import Condition, conditions
from pgauthkit.repositories.generic.unit import Unit, on_its_own

__all__ = ["Deleting"]

M = TypeVar("M")


class Deleting(Unit[M]):
    """What a repository deletes and restores.

    A row that is deleted permanently takes with it what its foreign keys say (ON DELETE), in the database; cascades
    of SQLAlchemy's relations have no part in it.
    """

    @on_its_own
    def delete(self, key: Mapping[str, object], *, hard: bool = False) -> M:
        """Delete one row, and return it as it was, or with its `deleted_at`. One statement, which locks the row.

        Args:
            key: exactly the columns of a unique key.
            hard: delete the row itself, also of a `SoftDelete` model, and also when it was deleted softly before.

        Raises:
            NotFoundError: there is no such row.
            NotAUniqueKeyError: the key is none; with `hard`, also when it is unique only unless deleted.
            ForeignKeyViolationError: the row is still referred to.

        Example:
            >>> posts.delete({"id": post.id}).deleted_at  # doctest: +SKIP
            datetime.datetime(2026, 1, 1, 12, 0, tzinfo=datetime.timezone.utc)
        """
        soft = self._of.soft and not hard
        where = self._by_key(key, deleted_too=hard)
        if soft:
            return self._only(self._written(update(self._of.table).where(*where).values(self._deleted(func.now()))))
        gone = self._only(self._written(delete(self._of.table).where(*where)))
        self._db.expunge(gone)
        return gone

    @on_its_own
    def delete_many(self, *where: Condition, all: bool = False, hard: bool = False) -> int:  # noqa: A002 - of the contract
        """Delete the rows that meet the conditions, and return how many. One statement, which locks the rows.

        Args:
            *where: conditions; at least one, unless `all`.
            all: every row of the table.
            hard: delete the rows themselves, also of a `SoftDelete` model, and also those deleted softly before.

        Raises:
            RepositoryError: there is neither a condition nor `all=True`, or there are both.
            ForeignKeyViolationError: a row is still referred to.

        Example:
            >>> posts.delete_many(Post.published.is_(False))  # doctest: +SKIP
            3
        """
        if all == bool(where):
            message = f"delete_many of {self._of.name} takes conditions, or else all=True for every row."
            raise RepositoryError(message, table=self._of.table.name)
        found = conditions(self._of, where, deleted_too=hard)
        if self._of.soft and not hard:
            return self._affected(update(self._of.table).where(*found).values(self._deleted(func.now())))
        return self._erased(delete(self._of.model).where(*found))

    @on_its_own
    def restore(self, key: Mapping[str, object]) -> M:
        """Undo a soft delete, and return the row; one that is not deleted stays so. One UPDATE, which locks the row.

        Raises:
            NotFoundError: there is no such row.
            NotAUniqueKeyError: the key is none, or unique only unless deleted.
            UniqueViolationError: another row has taken its place.
            RepositoryError: the model is no `SoftDelete`.

        Example:
            >>> posts.restore({"id": post.id}).deleted_at is None  # doctest: +SKIP
            True
        """
        if not self._of.soft:
            raise RepositoryError(f"{self._of.name} is no SoftDelete: nothing is restored.", table=self._of.table.name)
        where = self._by_key(key, deleted_too=True)
        return self._only(self._written(update(self._of.table).where(*where).values(self._deleted(None))))

    def _deleted(self, moment: Any) -> dict[Column[Any], Any]:  # noqa: ANN401 - an SQL expression, or None
        return touched(self._of, {self._of.columns["deleted_at"]: moment})

    def _erased(self, statement: UpdateBase) -> int:
        # What the session holds of the rows must leave it, or the same key could not be created again.
        held = any(isinstance(instance, self._of.model) for instance in self._db.identity_map.values())
        return self._affected(statement.execution_options(synchronize_session="fetch" if held else False))
