"""Reading: one row by its key, many by conditions, and whether there are any."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import exists, func, select

from pgauthkit.repositories.generic.conditions import Condition, Order, conditions, orders
from pgauthkit.repositories.generic.description import not_found
from pgauthkit.repositories.generic.includes import Include
from pgauthkit.repositories.generic.loading import at_most
from pgauthkit.repositories.generic.unit import Unit, on_its_own

__all__ = ["Reading"]

M = TypeVar("M")


class Reading(Unit[M]):
    """What a repository reads. No method locks a row.

    An object shows what its last read found: reading it again replaces its columns, and drops the relations that are
    not included any more.
    """

    @on_its_own
    def find_unique(self, *, include: Include = (), with_deleted: bool = False, **key: object) -> M | None:
        """Return the row with a unique key, or None.

        One statement, with what is included; where the session loads it itself, one more for each collection.

        Args:
            include: relations to load: names, dotted paths, or a mapping of names to `Nested`.
            with_deleted: also when it is deleted.
            **key: exactly the columns of the primary key, of a unique constraint or of a unique index.

        Raises:
            NotAUniqueKeyError: the columns are no unique key, or one of them is None.
            RepositoryError: there is no such column or relation.

        Example:
            >>> Repository(db, User).find_unique(id=user.id, include=["posts"])  # doctest: +SKIP
        """
        where = self._by_key(key, deleted_too=with_deleted)
        found = self._objects(select(self._of.model).where(*where), include, deleted_too=with_deleted)
        return found[0] if found else None

    @on_its_own
    def get(self, *, include: Include = (), with_deleted: bool = False, **key: object) -> M:
        """Return the row with a unique key, as `find_unique`.

        Raises:
            NotFoundError: there is none.
            NotAUniqueKeyError: the columns are no unique key, or one of them is None.
            RepositoryError: there is no such column or relation.

        Example:
            >>> Repository(db, Post).get(slug="hello")  # doctest: +SKIP
        """
        found = self.find_unique(include=include, with_deleted=with_deleted, **key)
        if found is None:
            raise not_found(self._of)
        return found

    @on_its_own
    def find_first(
        self,
        *where: Condition,
        order_by: Order | Sequence[Order] = (),
        skip: int | None = None,
        include: Include = (),
        with_deleted: bool = False,
        **equals: object,
    ) -> M | None:
        """Return the first row that meets the conditions, or None; without an order, any of them.

        See `find_many` for the arguments, the errors and the number of statements.

        Example:
            >>> posts.find_first(published=True, order_by="-created_at")  # doctest: +SKIP
        """
        options = {"order_by": order_by, "skip": skip, "include": include, "with_deleted": with_deleted}
        found = self.find_many(*where, take=1, **options, **equals)  # type: ignore[arg-type]
        return found[0] if found else None

    @on_its_own
    def find_many(
        self,
        *where: Condition,
        order_by: Order | Sequence[Order] = (),
        take: int | None = None,
        skip: int | None = None,
        include: Include = (),
        with_deleted: bool = False,
        **equals: object,
    ) -> list[M]:
        """Return the rows that meet the conditions.

        One statement, with what is included; where the session loads it itself, one more for each collection.

        Args:
            *where: conditions of SQLAlchemy on columns of this model; on others through `.any()` and `.has()`.
            order_by: columns, expressions or names, `"-created_at"` for descending. With `take` or `skip`, the primary
                key is added at the end, so that the order is total.
            take: at most so many rows.
            skip: leave out so many; to walk through many pages, use `page`.
            include: relations to load: names, dotted paths, or a mapping of names to `Nested`.
            with_deleted: deleted rows as well.
            **equals: values that columns must have; None asks for NULL.

        Raises:
            RepositoryError: there is no such column or relation; a condition is none, or about another table.

        Example:
            >>> posts.find_many(Post.title.ilike("%sql%"), published=True, order_by="-created_at", take=10)
            ... # doctest: +SKIP
        """
        statement = select(self._of.model).where(*conditions(self._of, where, equals, deleted_too=with_deleted))
        order = orders(self._of, order_by)
        if order and (take is not None or skip is not None):
            order += orders(self._of, self._of.primary_key)
        statement = statement.order_by(*order)
        if take is not None:
            statement = statement.limit(at_most("take", take))
        if skip is not None:
            statement = statement.offset(at_most("skip", skip))
        return self._objects(statement, include, deleted_too=with_deleted)

    @on_its_own
    def count(self, *where: Condition, with_deleted: bool = False, **equals: object) -> int:
        """Return how many rows meet the conditions; one statement.

        Raises:
            RepositoryError: there is no such column; a condition is none, or about another table.

        Example:
            >>> posts.count(published=True)  # doctest: +SKIP
            3
        """
        found = conditions(self._of, where, equals, deleted_too=with_deleted)
        statement = select(func.count()).select_from(self._of.model).where(*found)
        return self._guarded(lambda: self._db.scalars(statement).one())

    @on_its_own
    def exists(self, *where: Condition, with_deleted: bool = False, **equals: object) -> bool:
        """Tell whether any row meets the conditions; one statement, which stops at the first.

        Raises:
            RepositoryError: there is no such column; a condition is none, or about another table.

        Example:
            >>> posts.exists(Post.title == "Hello World")  # doctest: +SKIP
            True
        """
        found = conditions(self._of, where, equals, deleted_too=with_deleted)
        statement = select(exists().select_from(self._of.model).where(*found))
        bind = {"mapper": self._of.mapper}
        return self._guarded(lambda: self._db.scalars(statement, bind_arguments=bind).one())
