"""Authentication, awaited: the one call that is on the way of every request has a way of its own."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, orm

from pgauthkit.aio.quick import Quick
from pgauthkit.aio.wire import AsyncWire
from pgauthkit.config import AuthConfig
from pgauthkit.database.awaiting.gathering import Gathering
from pgauthkit.database.deadline import call_timeout_of, one_call, time_left
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.database.runner import Row
from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.replica_reads import ReplicaReads
from pgauthkit.service import AuthService
from pgauthkit.service.authentication import Answer, Presented
from pgauthkit.service.replicas.replica import Replica
from pgauthkit.statements import authentication as statements
from pgauthkit.values import Identity

__all__ = ["AwaitedService"]

Q = TypeVar("Q")
A = TypeVar("A")


class AwaitedService(AuthService):
    """The synchronous service that the async one stands on, with its own way to authenticate.

    Requests that come in one turn of the event loop are asked about in one statement. Nothing is kept by that, so what
    ends a session counts at once.
    """

    def __init__(self, engine: Engine, config: AuthConfig | None, replica: ReplicaReads | None = None) -> None:
        super().__init__(engine, config, replica=replica, wire=AsyncWire())
        self._limit = call_timeout_of(engine)
        self._quick = Quick(engine, AsyncWire())
        of_replica = self._replica and partial(self._asked_together, self._replica)
        self._reading: Gathering[Presented, Answer | Row | None] = _gathering(of_replica or self._asked_of_primary)
        self._writing = _gathering(self._touched_together)
        self._is_joined = False

    def within(self, db: orm.Session | orm.scoped_session[Any] | Connection) -> "AwaitedService":
        """Return the same service inside a transaction of the host, where nothing is asked together."""
        joined = cast("AwaitedService", super().within(db))
        joined._is_joined = True  # noqa: SLF001 - another of the same class
        return joined

    async def authenticated(self, access_token: str) -> Identity:
        """Return who holds an access token: see `AuthService.authenticate`."""
        if self._is_joined:
            return await in_greenlet(self.authenticate, access_token)
        kept, key = self._kept, b""
        if kept is not None and (recalled := kept.find(key := kept.key(access_token))):  # needs no waiting
            return recalled
        presented = self._presented(access_token, key)
        answer = await self._reading.answer(presented)
        if self._replica is not None and isinstance(answer, Answer):
            identity, first = self._judged_by(self._replica, presented, answer)
            if first:
                await in_greenlet(self._replica.write_use, first)
            return identity
        identity, is_due = self._judged(presented, answer)
        if is_due:
            await self._writing.answer((identity.session_id, presented.access_token_hash))
        return identity

    async def _asked_together(self, replica: Replica, group: Sequence[Presented]) -> list[Answer | Row | None]:
        with replica.whole_call():
            answers = await in_greenlet(self._replicated, replica, group)
            rest = [presented for presented, answer in zip(group, answers, strict=True) if answer is None]
            rows = iter(await self._asked_of_primary(rest) if rest else [])
            return [answer or next(rows) for answer in answers]

    async def _asked_of_primary(self, group: Sequence[Presented]) -> list[Row | None]:
        if len(group) == 1:
            rows = await self._quick.answered(*self._question(group[0]))
            return [rows[0] if rows else None]
        found = {number: row for number, *row in await self._asked_many(group)}
        return [found.get(number) for number in range(1, len(group) + 1)]

    async def _asked_many(self, group: Sequence[Presented]) -> list[Row]:
        """Ask again where a connection was lost: with one each, the others would have had theirs."""
        lost, question = None, self._text(statements.AUTHENTICATE_MANY, self._of_many(group))
        with one_call(self._limit) if time_left() is None else nullcontext():
            try:
                return await self._quick.answered(*question)
            except DatabaseUnavailableError as error:
                lost = error
            if not time_left():
                raise lost
            return await self._quick.answered(*question)

    async def _touched_together(self, group: Sequence[tuple[str, bytes]]) -> list[None]:
        await in_greenlet(self._touch, group)
        return [None] * len(group)


def _gathering(ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> Gathering[Q, A]:
    async def alone(question: Q) -> A:
        return (await ask([question]))[0]

    return Gathering(alone, ask)
