"""Writing, deleting, upserting and bulk, awaited."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, cast, overload

from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.repositories.aio.unit import AsyncUnit
from pgauthkit.repositories.generic.batches import Row
from pgauthkit.repositories.generic.bulk import BATCH
from pgauthkit.repositories.generic.conditions import Condition

__all__ = ["AsyncWriting"]

M = TypeVar("M")


class AsyncWriting(AsyncUnit[M]):
    """The twin of `Writing`, `Deleting`, `Upserting` and `Bulk`."""

    async def create(self, instance: M | None = None, /, **values: Any) -> M:  # noqa: ANN401 - of any column
        """Insert a row, and return it: see `Repository.create`."""
        return await in_greenlet(self._repository.create, instance, **values)

    async def update(self, key: Mapping[str, object], /, **values: Any) -> M:  # noqa: ANN401 - of any column
        """Change the columns given of one row, and return it: see `Repository.update`."""
        return await in_greenlet(self._repository.update, key, **values)

    async def update_many(self, *where: Condition, **values: Any) -> int:  # noqa: ANN401 - of any column
        """Change the columns given of all rows that meet the conditions: see `Repository.update_many`."""
        return await in_greenlet(self._repository.update_many, *where, **values)

    @overload
    async def create_many(
        self,
        rows: Iterable[Row],
        *,
        skip_duplicates: bool = ...,
        returning: Literal[False] = ...,
        on_progress: Callable[[int], object] | None = ...,
        batch_size: int = ...,
    ) -> int: ...

    @overload
    async def create_many(
        self,
        rows: Iterable[Row],
        *,
        skip_duplicates: bool = ...,
        returning: Literal[True],
        on_progress: Callable[[int], object] | None = ...,
        batch_size: int = ...,
    ) -> list[M]: ...

    async def create_many(
        self,
        rows: Iterable[Row],
        *,
        skip_duplicates: bool = False,
        returning: bool = False,
        on_progress: Callable[[int], object] | None = None,
        batch_size: int = BATCH,
    ) -> int | list[M]:
        """Insert rows, and return how many, or the rows themselves: see `Repository.create_many`."""
        create = cast("Callable[..., int | list[M]]", self._repository.create_many)
        return await in_greenlet(
            create,
            rows,
            skip_duplicates=skip_duplicates,
            returning=returning,
            on_progress=on_progress,
            batch_size=batch_size,
        )

    async def upsert(self, key: Mapping[str, object], *, create: Mapping[str, Any], update: Mapping[str, Any]) -> M:
        """Insert a row, or update the one with the same key, and return it: see `Repository.upsert`."""
        return await in_greenlet(self._repository.upsert, key, create=create, update=update)

    async def upsert_many(
        self,
        rows: Iterable[Row],
        key: str | Sequence[str],
        update: Sequence[str],
        *,
        on_progress: Callable[[int], object] | None = None,
        batch_size: int = BATCH,
    ) -> int:
        """Insert rows, or update those with the same key: see `Repository.upsert_many`."""
        upsert = self._repository.upsert_many
        return await in_greenlet(upsert, rows, key, update, on_progress=on_progress, batch_size=batch_size)

    async def delete(self, key: Mapping[str, object], *, hard: bool = False) -> M:
        """Delete one row, and return it: see `Repository.delete`."""
        return await in_greenlet(self._repository.delete, key, hard=hard)

    async def delete_many(self, *where: Condition, all: bool = False, hard: bool = False) -> int:  # noqa: A002 - of the contract
        """Delete the rows that meet the conditions: see `Repository.delete_many`."""
        return await in_greenlet(self._repository.delete_many, *where, all=all, hard=hard)

    async def restore(self, key: Mapping[str, object]) -> M:
        """Undo a soft delete, and return the row: see `Repository.restore`."""
        return await in_greenlet(self._repository.restore, key)
