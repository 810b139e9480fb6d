"""`InSession`: the methods of a repository that go by plans inside a session of the host, and its transaction."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import orm
from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.database.greenlet import Awaiting
from pgauthkit.database.line import Line, Rows, Steps
from pgauthkit.database.querylog import QueryLog
from pgauthkit.database.violations import guarded
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.plans.fitness import unfit_connection, unfit_session
from pgauthkit.repositories.generic.plans.internals import fail
from pgauthkit.repositories.generic.plans.joining import joined
from pgauthkit.repositories.generic.plans.known import Planned, Plans, plans_of
from pgauthkit.repositories.generic.plans.methods.pages import Pages
from pgauthkit.repositories.generic.plans.plan import Asked
from pgauthkit.repositories.generic.plans.reads import Reads
from pgauthkit.repositories.generic.plans.shapes import Shape, UnplannedError

__all__ = ["InSession"]

M = TypeVar("M")
T = TypeVar("T")


class InSession(Reads[M], Pages[M]):
    """Its methods are called as those of the repository; what is pending is flushed before."""

    def __init__(self, db: orm.Session | orm.scoped_session[Any], of: Description[M]) -> None:
        self._db = db
        self._of = of

    @property
    def plans(self) -> Plans[M]:
        """The plans of the model, which are those of a repository on the session's engine."""
        return plans_of(self._of, cast("Any", self._session.bind).dialect)

    @property
    def _session(self) -> orm.Session:
        db = self._db
        return db if isinstance(db, orm.Session) else db()

    def _say(self, name: str, reason: str) -> None:
        bind = self._session.bind
        log = None if bind is None else QueryLog.on(bind.engine)
        if log and self.plans.is_news(f"{name} in a session", reason):
            log.tell(f"{self._of.name}.{name} goes through the ORM: {reason}.")

    def _run(self, shape: Shape, build: Callable[[], Planned[T]], *, writes: bool = False) -> T:
        db = self._session
        if reason := unfit_session(db):
            raise UnplannedError(reason)
        found = self.plans.find(shape, build)
        if found.in_session and found.in_session.reason:
            raise UnplannedError(found.in_session.reason)
        asked = self._asked(found, shape, writes=writes)
        rows = guarded(lambda: self._answer(db, asked), self._of.table)
        if found.in_session is None:
            return found.answer(rows, asked.types)
        return cast("T", found.in_session.objects(rows, asked.types, db))

    def _answer(self, db: orm.Session, asked: Asked) -> Rows:
        db.flush()
        connection = db.connection({"mapper": self._of.mapper})
        log = QueryLog.on(connection.engine)
        if reason := unfit_connection(connection, ours=log is not None):
            raise UnplannedError(reason)
        ask = log.logged(_asked, prepares=False) if log else _asked
        try:
            return ask(connection.connection, asked.plan.sql, asked)
        except BaseException as error:
            if isinstance(error, psycopg.DataError) and error.sqlstate is None:
                raise UnplannedError("a value has no form here") from error
            fail(connection, error)


def _asked(connection: PoolProxiedConnection, _sql: str, asked: Asked) -> Rows:
    driver: Any = connection.driver_connection
    plan = asked.plan
    line = Line.of(connection)
    steps = joined(driver, line, plan, asked.parameters)
    if isinstance(driver, psycopg.AsyncConnection):
        types, rows = Awaiting().wait(_in_turn(cast("Any", driver), line, steps))
    else:
        with driver.lock:  # as a cursor of psycopg does: one statement at a time, whoever shares the session
            types, rows = driver.wait(steps)
    asked.types = types
    plan.seen(types)
    return cast("Rows", rows)


async def _in_turn(driver: "psycopg.AsyncConnection[Any]", line: Line, steps: Steps) -> Any:  # noqa: ANN401 - of the steps
    async with driver.lock:
        return await line.awaited(steps)
