"""Authentication, awaited: the one call that is on the way of every request has a way of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import Connection, Engine, orm

from pgauthkit.aio.gathering import Gathering
from pgauthkit.aio.quick import Quick
from pgauthkit.aio.wire import AsyncWire
from pgauthkit.config import AuthConfig
from pgauthkit.database.deadline import call_timeout_of, one_call, time_left
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.database.runner import Row
from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.service import AuthService
from pgauthkit.service.authentication import Presented
from pgauthkit.statements import authentication as statements
from pgauthkit.values import Identity

__all__ = ["AwaitedService"]

# So long PostgreSQL takes an array to be whose values it does not know (`estimate_array_length` in selfuncs.c). For a
# shorter one it finds a plan of its own cheaper, and plans each time, which takes longer than the reading.
UNKNOWN: Final = 10


class AwaitedService(AuthService):
    """The synchronous service that the async one stands on, with its own way to authenticate.

    Requests that come in one turn of the event loop are asked about in one statement. Nothing is kept by that, so what
    ends a session counts at once.
    """

    def __init__(self, engine: Engine, config: AuthConfig | None) -> None:
        super().__init__(engine, config, wire=AsyncWire())
        self._limit = call_timeout_of(engine)
        self._quick = Quick(engine, AsyncWire())
        self._reading = Gathering(self._asked_together)
        self._writing = Gathering(self._touched_together)
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
        if recalled := self._recall(access_token):  # needs no waiting
            return recalled
        presented = self._presented(access_token)
        identity, is_due = self._judged(presented, await self._reading.answer(presented))
        if is_due:
            await self._writing.answer((identity.session_id, presented.access_token_hash))
        return identity

    async def _asked_together(self, group: Sequence[Presented]) -> list[Row | None]:
        if len(group) == 1:
            rows = await self._quick.answered(*self._question(group[0]))
            return [rows[0] if rows else None]
        found = {number: row for number, *row in await self._asked_many(group)}
        return [found.get(number) for number in range(1, len(group) + 1)]

    async def _asked_many(self, group: Sequence[Presented]) -> list[Row]:
        """Ask again where a connection was lost: with one each, the others would have had theirs."""
        lost, question = None, self._question_of_many(group)
        with one_call(self._limit):
            try:
                return await self._quick.answered(*question)
            except DatabaseUnavailableError as error:
                lost = error
            if not time_left():
                raise lost
            return await self._quick.answered(*question)

    def _question_of_many(self, group: Sequence[Presented]) -> tuple[str, Mapping[str, object]]:
        return self._text(
            statements.AUTHENTICATE_MANY,
            selector_hashes=_filled([presented.selector_hash for presented in group]),
            access_token_hashes=_filled([presented.access_token_hash for presented in group]),
            touch_interval=self._config.touch_interval,
        )

    async def _touched_together(self, group: Sequence[tuple[str, bytes]]) -> list[None]:
        await in_greenlet(self._touch, group)
        return [None] * len(group)


def _filled(hashes: Sequence[bytes]) -> list[bytes | None]:
    """Add what no row has."""
    return [*hashes, *[None] * (UNKNOWN - len(hashes))]
