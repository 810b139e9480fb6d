"""Upserting: one INSERT … ON CONFLICT, which no race can lose."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy.dialects.postgresql import insert

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.assignments import assigned, touched, validated
from pgauthkit.repositories.generic.conflicts import contradictions, on_conflict, taken
from pgauthkit.repositories.generic.unit import Unit, on_its_own

__all__ = ["Upserting"]

M = TypeVar("M")


class Upserting(Unit[M]):
    """What a repository inserts or else updates."""

    @on_its_own
    def upsert(self, key: Mapping[str, object], *, create: Mapping[str, Any], update: Mapping[str, Any]) -> M:
        """Insert a row, or update the one with the same key, and return it. One INSERT … ON CONFLICT … RETURNING.

        It locks the row. A concurrent upsert of the same row waits for it, and then updates: neither gets an error,
        unless their new rows are equal in another unique key as well, as PostgreSQL arbitrates by one alone. With an
        empty `update` the row is returned as it is, and `updated_at` stays.

        Args:
            key: exactly the columns of a unique key; they are inserted as well.
            create: the other columns of a new row.
            update: what changes where the row exists; SQL expressions may refer to its columns.

        Raises:
            NotAUniqueKeyError: the key is none, or has no value in it.
            RepositoryError: there is no such column, or `create` contradicts the key.
            UniqueViolationError: the row with this key is deleted (restore it, or let `unique_unless_deleted` free the
                key) or of another class in the same table, or a new row would break another unique key.
            ForeignKeyViolationError: what is referred to does not exist.
            NotNullViolationError: a column that must have a value has none.
            CheckViolationError: a CHECK constraint refuses the row.

        Example:
            >>> users.upsert({"email": "admin@example.com"}, create={"role": "ADMIN"}, update={})  # doctest: +SKIP
        """
        unique = self._key(key, deleted_too=False, partial=True)
        wanted, given = validated(self._of, key), validated(self._of, create)
        if clash := contradictions(wanted, given):
            message = f"create of {self._of.name} contradicts the key: {', '.join(clash)}."
            raise RepositoryError(message, columns=clash, table=self._of.table.name)
        changes = assigned(self._of, update)
        statement = insert(self._of.table).values(
            assigned(self._of, {**self._of.kind, **self._of.version, **create, **key})
        )
        found = self._written(on_conflict(self._of, statement, unique, touched(self._of, changes) if changes else {}))
        if not found:
            raise taken(self._of, unique)
        return found[0]
