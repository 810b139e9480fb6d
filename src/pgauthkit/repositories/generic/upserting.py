"""Upserting: one INSERT … ON CONFLICT, which no race can lose."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import Column, literal_column
from sqlalchemy.dialects.postgresql import Insert, insert

from pgauthkit.errors import RepositoryError, UniqueViolationError
from pgauthkit.repositories.generic.assignments import assigned, touched, validated
from pgauthkit.repositories.generic.keys import UniqueKey
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
                key), or a new row would break another unique key.
            ForeignKeyViolationError: what is referred to does not exist.
            NotNullViolationError: a column that must have a value has none.
            CheckViolationError: a CHECK constraint refuses the row.

        Example:
            >>> users.upsert({"email": "admin@example.com"}, create={"role": "ADMIN"}, update={})  # doctest: +SKIP
        """
        unique = self._key(key, deleted_too=False, partial=True)
        wanted, given = validated(self._of, key), validated(self._of, create)
        if clash := sorted(name for name in wanted.keys() & given.keys() if given[name] != wanted[name]):
            message = f"create of {self._of.name} contradicts the key: {', '.join(clash)}."
            raise RepositoryError(message, columns=clash, table=self._of.table.name)
        changes = assigned(self._of, update)
        statement = insert(self._of.table).values(
            assigned(self._of, {**self._of.kind, **self._of.version, **create, **key})
        )
        found = self._written(self._on_conflict(statement, unique, touched(self._of, changes) if changes else {}))
        if not found:
            columns = [self._of.columns[name].name for name in unique.columns]
            message = f"The row of {self._of.table.name} with this key is deleted: restore it, or free the key."
            raise UniqueViolationError(message, columns=columns, table=self._of.table.name)
        return found[0]

    def _on_conflict(self, statement: Insert, unique: UniqueKey, changes: Mapping[Column[Any], Any]) -> Insert:
        column = self._of.columns[unique.columns[0]]
        # Setting a column to itself returns the row, under its lock, where DO NOTHING would return none.
        return statement.on_conflict_do_update(
            **self._arbiter(unique),
            set_=dict(changes) or {column: column},
            where=self._of.attribute("deleted_at").is_(None) if self._of.soft else None,
        )

    def _arbiter(self, unique: UniqueKey) -> dict[str, Any]:
        columns = [self._of.columns[name] for name in unique.columns]
        return {
            "index_elements": columns,
            "index_where": None if unique.where is None else literal_column(unique.where),
        }
