"""Bulk: thousands of rows a statement, and any number of them in flat memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final, Literal, TypeVar, overload

from sqlalchemy import Dialect, select
from sqlalchemy.dialects.postgresql import Insert, insert

from pgauthkit.database.violations import guarded
from pgauthkit.repositories.generic.ahead import ahead
from pgauthkit.repositories.generic.arrays import given, ready_for_arrays
from pgauthkit.repositories.generic.assignments import touched
from pgauthkit.repositories.generic.batches import (
    Group,
    Row,
    batches,
    completed,
    computed,
    groups,
    refuse_duplicates,
    refuse_missing,
)
from pgauthkit.repositories.generic.conditions import sequence
from pgauthkit.repositories.generic.conflicts import arbiter, on_conflict
from pgauthkit.repositories.generic.keys import UniqueKey
from pgauthkit.repositories.generic.unit import by_batches
from pgauthkit.repositories.generic.upserting import Upserting

__all__ = ["BATCH", "Bulk"]

M = TypeVar("M")

BATCH: Final = 5000  # rows


class Bulk(Upserting[M]):
    """What a repository writes by the thousand.

    One statement a batch, or one for each set of columns that rows of the batch give. Validators and Python's defaults
    apply, in another thread from the second batch on, while the server has the batch before; constructors and
    SQLAlchemy's events of single objects do not.
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

    @by_batches
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
            rows: mappings of columns to values; an iterator is taken as it comes, a batch ahead.
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
        for statement in self._statements(rows, batch_size, self._to_create):
            inserting = statement.on_conflict_do_nothing() if skip_duplicates else statement
            found = self._written(inserting) if returning else []
            written += found
            count += len(found) if returning else self._affected(inserting)
            if on_progress:
                on_progress(count)
        return written if returning else count

    @by_batches
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

        It locks the rows, in the order of the key, so that two of them do not deadlock. Rows that are deleted, or
        of another class in the same table, stay as they are, and are not counted; neither are existing ones with an
        empty `update`.

        Args:
            rows: mappings of columns to values; an iterator is taken as it comes, a batch ahead.
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
        unique = self._of.unique_key(sequence(key), deleted_too=False, partial=True)
        self._of.require(update)
        count = 0
        for statement in self._statements(rows, batch_size, partial(self._to_upsert, unique, update)):
            count += self._affected(statement)
            if on_progress:
                on_progress(count)
        return count

    def _statements(
        self, rows: Iterable[Row], size: int, make: Callable[[Dialect, list[Row]], list[Insert]]
    ) -> Iterator[Insert]:
        dialect = self._guarded(lambda: ready_for_arrays(self._connection()))
        return chain.from_iterable(ahead(batches(rows, size), partial(make, dialect)))

    def _to_create(self, dialect: Dialect, batch: list[Row]) -> list[Insert]:
        return [self._inserted(dialect, group) for group in groups(self._of, batch)]

    def _to_upsert(self, key: UniqueKey, update: Sequence[str], dialect: Dialect, batch: list[Row]) -> list[Insert]:
        found = groups(self._of, batch)
        refuse_duplicates(self._of, key, found)
        for group in found:
            refuse_missing(self._of, group.columns, update)
        inserts = (self._inserted(dialect, group, order_by=key.columns) for group in found)
        return [self._or_update(statement, key, update) for statement in inserts]

    def _or_update(self, statement: Insert, key: UniqueKey, update: Sequence[str]) -> Insert:
        if not update:
            return statement.on_conflict_do_nothing(**arbiter(self._of, key))
        columns = [self._of.columns[name] for name in update]
        changes = {column: statement.excluded[column.key] for column in columns}
        return on_conflict(self._of, statement, key, touched(self._of, changes))

    def _inserted(self, dialect: Dialect, group: Group, *, order_by: Sequence[str] = ()) -> Insert:
        values = completed(self._of, group)
        sent = guarded(lambda: given(dialect, self._of.columns, values), self._of.table)
        selected: dict[str, Any] = {**sent, **computed(self._of, values)}
        columns = [self._of.columns[name] for name in selected]
        source = select(*selected.values()).order_by(*(sent[name] for name in order_by))
        return insert(self._of.table).from_select(columns, source, include_defaults=False)
