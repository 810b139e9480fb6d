"""Bulk: thousands of rows a statement, and any number of them in flat memory."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, TypeVar, overload

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Insert, insert

from pgauthkit.repositories.generic.arrays import given
from pgauthkit.repositories.generic.assignments import touched
from pgauthkit.repositories.generic.batches import (
    Row,
    batches,
    columns_of,
    computed,
    groups,
    refuse_duplicates,
    refuse_missing,
)
from pgauthkit.repositories.generic.conditions import sequence
from pgauthkit.repositories.generic.upserting import Upserting

__all__ = ["BATCH", "Bulk"]

M = TypeVar("M")

BATCH: Final = 5000  # rows


class Bulk(Upserting[M]):
    """What a repository writes by the thousand.

    One statement a batch, or one for each set of columns that rows of the batch give. Validators and Python's defaults
    apply; constructors and SQLAlchemy's events of single objects do not.
    """

    @overload
    def create_many(
        self,
        rows: Iterable[Row],
        *,
        skip_duplicates: bool = ...,
        returning: Literal[False] = ...,
        on_progress: Callable[[int], object] | None = ...,
        batch_size: int = ...,
    ) -> int: ...

    @overload
    def create_many(
        self,
        rows: Iterable[Row],
        *,
        skip_duplicates: bool = ...,
        returning: Literal[True],
        on_progress: Callable[[int], object] | None = ...,
        batch_size: int = ...,
    ) -> list[M]: ...

    def create_many(
        self,
        rows: Iterable[Row],
        *,
        skip_duplicates: bool = False,
        returning: bool = False,
        on_progress: Callable[[int], object] | None = None,
        batch_size: int = BATCH,
    ) -> int | list[M]:
        """Insert rows, and return how many, or the rows themselves. One INSERT … SELECT a batch.

        Args:
            rows: mappings of columns to values; an iterator is taken as it comes.
            skip_duplicates: leave out rows that break a unique key (ON CONFLICT DO NOTHING).
            returning: return the rows inserted; all of them are held in memory then.
            on_progress: called after each statement with the number of rows inserted so far.
            batch_size: rows a batch.

        Raises:
            RepositoryError: there is no such column, or a value cannot be stored; its batch was not sent.
            ValueTooLongError: a value is too long, out of range, or out of scale.
            UniqueViolationError: there is a row with the same unique key.
            ForeignKeyViolationError: what is referred to does not exist.
            NotNullViolationError: a column that must have a value has none.
            CheckViolationError: a CHECK constraint refuses a row.

        Example:
            >>> posts.create_many({"title": f"No. {n}"} for n in range(1_000_000))  # doctest: +SKIP
            1000000
        """
        written: list[M] = []
        count = 0
        for batch in batches(rows, batch_size):
            for names, group in groups(self._of, batch).items():
                statement = self._inserted(names, group)
                if skip_duplicates:
                    statement = statement.on_conflict_do_nothing()
                found = self._written(statement) if returning else []
                written += found
                count += len(found) if returning else self._affected(statement)
                if on_progress:
                    on_progress(count)
        return written if returning else count

    def upsert_many(
        self,
        rows: Iterable[Row],
        key: str | Sequence[str],
        update: Sequence[str],
        *,
        on_progress: Callable[[int], object] | None = None,
        batch_size: int = BATCH,
    ) -> int:
        """Insert rows, or update those with the same key; return how many. One INSERT … ON CONFLICT a batch.

        It locks the rows, in the order of the key, so that two of them do not deadlock. Rows that are deleted stay as
        they are, and are not counted; neither are existing ones with an empty `update`.

        Args:
            rows: mappings of columns to values; an iterator is taken as it comes.
            key: the columns of a unique key, which every row has.
            update: the columns to take over where the row exists.
            on_progress: called after each statement with the number of rows written so far.
            batch_size: rows a batch; the same key in two batches is written twice, the later one last.

        Raises:
            NotAUniqueKeyError: the key is none.
            RepositoryError: two rows of a batch have the same key, a row has none, or lacks a column of `update`; there
                is no such column, or a value cannot be stored.
            ValueTooLongError: a value is too long, out of range, or out of scale.
            UniqueViolationError: a row breaks another unique key.
            ForeignKeyViolationError: what is referred to does not exist.
            NotNullViolationError: a column that must have a value has none.
            CheckViolationError: a CHECK constraint refuses a row.

        Example:
            >>> products.upsert_many(rows, key="sku", update=["price", "stock"])  # doctest: +SKIP
            20000
        """
        unique = self._of.unique_key(sequence(key), deleted_too=False)
        self._of.require(update)
        count = 0
        for batch in batches(rows, batch_size):
            found = groups(self._of, batch)
            refuse_duplicates(self._of, unique.columns, found)
            for names, group in found.items():
                refuse_missing(self._of, names, update)
                statement = self._inserted(names, group, order_by=unique.columns)
                if update:
                    changes = {
                        self._of.columns[name]: statement.excluded[self._of.columns[name].key] for name in update
                    }
                    statement = self._on_conflict(statement, unique, touched(self._of, changes))
                else:
                    statement = statement.on_conflict_do_nothing(**self._arbiter(unique))
                count += self._affected(statement)
                if on_progress:
                    on_progress(count)
        return count

    def _inserted(self, names: Sequence[str], rows: Sequence[Row], *, order_by: Sequence[str] = ()) -> Insert:
        values = columns_of(self._of, names, rows)
        sent = self._guarded(lambda: given(self._connection(), self._of.columns, values))
        selected: dict[str, Any] = {**sent, **computed(self._of, values)}
        columns = [self._of.columns[name] for name in selected]
        source = select(*selected.values()).order_by(*(sent[name] for name in order_by))
        return insert(self._of.table).from_select(columns, source, include_defaults=False)
