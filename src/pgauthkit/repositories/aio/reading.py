"""Reading, paging and summaries, awaited."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Row, SQLColumnExpression

from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.repositories.aio.unit import AsyncUnit
from pgauthkit.repositories.generic.conditions import Condition, Order
from pgauthkit.repositories.generic.description import not_found
from pgauthkit.repositories.generic.includes import Include
from pgauthkit.repositories.generic.paging import Page

__all__ = ["AsyncReading"]

M = TypeVar("M")


class AsyncReading(AsyncUnit[M]):
    """The twin of `Reading`, `Paging` and `Summaries`."""

    async def find_unique(self, *, include: Include = (), with_deleted: bool = False, **key: object) -> M | None:
        """Return the row with a unique key, or None: see `Repository.find_unique`.

        On an engine, calls of one turn of the event loop without `include` are one statement for up to 64 rows.
        """
        if self._together is not None and not include:
            return await self._together.find(key, with_deleted=with_deleted)
        return await in_greenlet(self._repository.find_unique, include=include, with_deleted=with_deleted, **key)

    async def get(self, *, include: Include = (), with_deleted: bool = False, **key: object) -> M:
        """Return the row with a unique key: see `Repository.get`, and `find_unique`."""
        found = await self.find_unique(include=include, with_deleted=with_deleted, **key)
        if found is None:
            raise not_found(self._of)
        return found

    async def find_first(
        self,
        *where: Condition,
        order_by: Order | Sequence[Order] = (),
        skip: int | None = None,
        include: Include = (),
        with_deleted: bool = False,
        **equals: object,
    ) -> M | None:
        """Return the first row that meets the conditions, or None: see `Repository.find_first`."""
        return await in_greenlet(
            self._repository.find_first,
            *where,
            order_by=order_by,
            skip=skip,
            include=include,
            with_deleted=with_deleted,
            **equals,
        )

    async def find_many(
        self,
        *where: Condition,
        order_by: Order | Sequence[Order] = (),
        take: int | None = None,
        skip: int | None = None,
        include: Include = (),
        with_deleted: bool = False,
        **equals: object,
    ) -> list[M]:
        """Return the rows that meet the conditions: see `Repository.find_many`."""
        return await in_greenlet(
            self._repository.find_many,
            *where,
            order_by=order_by,
            take=take,
            skip=skip,
            include=include,
            with_deleted=with_deleted,
            **equals,
        )

    async def count(self, *where: Condition, with_deleted: bool = False, **equals: object) -> int:
        """Return how many rows meet the conditions: see `Repository.count`."""
        return await in_greenlet(self._repository.count, *where, with_deleted=with_deleted, **equals)

    async def exists(self, *where: Condition, with_deleted: bool = False, **equals: object) -> bool:
        """Tell whether any row meets the conditions: see `Repository.exists`."""
        return await in_greenlet(self._repository.exists, *where, with_deleted=with_deleted, **equals)

    async def page(
        self,
        *where: Condition,
        order_by: Order | Sequence[Order],
        size: int,
        after: str | None = None,
        before: str | None = None,
        with_total: bool = False,
        include: Include = (),
        with_deleted: bool = False,
        **equals: object,
    ) -> Page[M]:
        """Return the first rows of an order, or those next to a cursor: see `Repository.page`."""
        return await in_greenlet(
            self._repository.page,
            *where,
            order_by=order_by,
            size=size,
            after=after,
            before=before,
            with_total=with_total,
            include=include,
            with_deleted=with_deleted,
            **equals,
        )

    async def aggregate(
        self, *where: Condition, with_deleted: bool = False, **figures: SQLColumnExpression[Any]
    ) -> Row[*tuple[Any, ...]]:
        """Return figures over all rows that meet the conditions: see `Repository.aggregate`."""
        return await in_greenlet(self._repository.aggregate, *where, with_deleted=with_deleted, **figures)

    async def group_by(
        self,
        by: str | SQLColumnExpression[Any] | Sequence[str | SQLColumnExpression[Any]],
        *where: Condition,
        having: Condition | Sequence[Condition] = (),
        order_by: Order | Sequence[Order] = (),
        take: int | None = None,
        with_deleted: bool = False,
        **figures: SQLColumnExpression[Any],
    ) -> list[Row[*tuple[Any, ...]]]:
        """Return a row for each group: see `Repository.group_by`."""
        return await in_greenlet(
            self._repository.group_by,
            by,
            *where,
            having=having,
            order_by=order_by,
            take=take,
            with_deleted=with_deleted,
            **figures,
        )
