"""Writing: a new row, and changes of one or of many."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import inspect, select, update
from sqlalchemy.orm.attributes import set_committed_value

from pgauthkit.database.violations import guarded
from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.assignments import assigned, touched, versioned
from pgauthkit.repositories.generic.conditions import Condition, conditions
from pgauthkit.repositories.generic.mapping.construction import constructed, without_null
from pgauthkit.repositories.generic.mapping.rereading import reread
from pgauthkit.repositories.generic.plans.instances import referring_by_key, refuse_unsuitable
from pgauthkit.repositories.generic.unit import Unit, on_its_own
from pgauthkit.repositories.generic.unloaded import close

__all__ = ["Writing"]

M = TypeVar("M")


class Writing(Unit[M]):
    """What a repository writes, one row at a time or many by conditions."""

    @on_its_own
    def create(self, instance: M | None = None, /, **values: Any) -> M:  # noqa: ANN401 - of any column
        """Insert a row, and return it as the database has it. One INSERT … RETURNING.

        The model's constructor, validators and relations work as ever; related objects that are new are inserted too,
        which needs a session. On an engine, a relation may be given an object that is in the database.

        Args:
            instance: a new object of the model, in place of values; it is the one that is returned.
            **values: of columns, or of relations. An SQL expression costs a second statement, which reads its value.

        Raises:
            RepositoryError: there is no such column, or its value cannot be stored; nothing was sent. On an engine, a
                related object is new. The instance is not new, or values were given with it.
            ValueTooLongError: a value is too long, out of range, or out of scale.
            UniqueViolationError: there is a row with the same unique key.
            ForeignKeyViolationError: what is referred to does not exist.
            NotNullViolationError: a column that must have a value has none.
            CheckViolationError: a CHECK constraint refuses the row.

        Example:
            >>> posts.create(title="Hello World", content="My first post", author_id=user.id)  # doctest: +SKIP
            >>> posts.create(Post(title="Hello World", content="My first post", author_id=user.id))  # doctest: +SKIP
        """
        if instance is not None:
            if values:
                message = f"create of {self._of.name} takes an object or values, and not both."
                raise RepositoryError(message, table=self._of.table.name)
            refuse_unsuitable(self._of, instance)
            return self._inserted_with(lambda: instance)
        self._of.require(name for name in values if not self._of.takes(name))
        assigned(self._of, {name: value for name, value in values.items() if name in self._of.columns})
        return self._inserted_with(lambda: constructed(self._of, values))

    def _inserted_with(self, make: Callable[[], M]) -> M:
        def insert() -> M:
            instance = make()
            empty = without_null(self._of, instance)
            with referring_by_key(self._of, instance) if self._alone else nullcontext():
                self._db.add(instance)
                self._db.flush()
            state = inspect(instance, raiseerr=True)
            # What the server adds is there, or expired; what is left was inserted as NULL.
            null = (state.unloaded & self._of.columns.keys()) - state.expired_attributes
            for name in null | (state.unloaded & empty):
                set_committed_value(instance, name, None)
            if left := state.expired_attributes:
                reread(self._db, instance, left)
            return instance

        # Not flushed before: new objects that were given with it may hang on some of the session's already.
        instance = guarded(insert, self._of.table)
        close([instance], fresh=True)
        return instance

    @on_its_own
    def update(self, key: Mapping[str, object], /, **values: Any) -> M:  # noqa: ANN401 - of any column
        """Change the columns given of one row, and return it. One UPDATE … RETURNING, which locks the row.

        `updated_at` moves. Without values it is a read. A row that is deleted is not found: restore it first.

        Args:
            key: exactly the columns of a unique key.
            **values: of columns; an SQL expression, such as `Post.views + 1`, is computed by the database.

        Raises:
            NotFoundError: there is no such row.
            NotAUniqueKeyError: the key is none.
            RepositoryError: there is no such column, it is of the primary key, or its value cannot be stored.
            ValueTooLongError: a value is too long, out of range, or out of scale.
            UniqueViolationError: there is another row with the same unique key.
            ForeignKeyViolationError: what is referred to does not exist.
            NotNullViolationError: a column that must have a value is given none.
            CheckViolationError: a CHECK constraint refuses the row.

        Example:
            >>> posts.update({"id": post.id}, published=True)  # doctest: +SKIP
        """
        where = self._by_key(key, deleted_too=False)
        changes = assigned(self._of, values)
        if fixed := [column.name for column in changes if column.primary_key]:
            message = f"The primary key of {self._of.name} is not changed: {', '.join(fixed)}."
            raise RepositoryError(message, columns=fixed, table=self._of.table.name)
        if not changes:
            return self._only(self._objects(select(self._of.model).where(*where), deleted_too=False))
        return self._only(self._written(update(self._of.table).where(*where).values(touched(self._of, changes))))

    @on_its_own
    def update_many(self, *where: Condition, **values: Any) -> int:  # noqa: ANN401 - of any column
        """Change the columns given of all rows that meet the conditions, and return how many. One UPDATE.

        It locks the rows; deleted ones stay as they are. Objects that were read before keep what they show until they
        are read again. For every row of the table, say `sqlalchemy.true()`.

        Args:
            *where: at least one condition.
            **values: of columns, or SQL expressions.

        Raises:
            RepositoryError: there is no condition, no such column, or a value cannot be stored.
            ValueTooLongError: a value is too long, out of range, or out of scale.
            UniqueViolationError: two rows would have the same unique key.
            ForeignKeyViolationError: what is referred to does not exist.
            CheckViolationError: a CHECK constraint refuses a row.

        Example:
            >>> posts.update_many(Post.author_id == user.id, published=False)  # doctest: +SKIP
            12
        """
        if not where:
            message = f"update_many of {self._of.name} has no condition, and would change every row."
            raise RepositoryError(message, table=self._of.table.name)
        changes = assigned(self._of, values)
        if not changes:
            raise RepositoryError(f"Say what to change of {self._of.name}.", table=self._of.table.name)
        statement = update(self._of.table).where(*conditions(self._of, where, deleted_too=False))
        return self._affected(statement.values(versioned(self._of, changes)))
