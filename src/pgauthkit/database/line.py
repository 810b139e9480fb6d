"""`Line`: what is kept with a pooled connection, to send it a statement below psycopg's cursors."""

import os
import select
from collections.abc import Collection, Coroutine, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import (
    Diagnostic,
    FeatureNotSupported,
    InvalidSqlStatementName,
    ReadOnlySqlTransaction,
    error_from_result,
)
from psycopg.generators import execute
from psycopg.pq import ExecStatus, Format, TransactionStatus
from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.database.adapters import PlainContext
from pgauthkit.database.awaiting.arriving import wait_in_task
from pgauthkit.database.deadline import bind, wait_in_thread
from pgauthkit.database.forking import sever
from pgauthkit.database.preparing import MOST_PREPARED, STALE, Key, Prepared, numbered
from pgauthkit.database.results.binary import Binary
from pgauthkit.database.results.loaded import Rows, loaded, types_of
from pgauthkit.database.results.received import receive
from pgauthkit.database.suitability import check_encoding

if TYPE_CHECKING:
    from psycopg import abc
    from psycopg.abc import Buffer
    from psycopg.pq.abc import PGresult

__all__ = ["Line", "Rows", "Steps", "UnacknowledgedError"]

Steps: TypeAlias = Generator[Any, Any, Any]

_LINE: Final = "pgauthkit: line"
# Names of a module: to look an enumeration's member up takes Python 3.11 ten times as long.
_ACTIVE: Final = TransactionStatus.ACTIVE
_IDLE: Final = TransactionStatus.IDLE
_COMMAND_OK: Final = ExecStatus.COMMAND_OK
_TUPLES_OK: Final = ExecStatus.TUPLES_OK
_BINARY: Final = Format.BINARY
_ENDS: Final = frozenset({"FATAL", "PANIC"})
# The function in which a commit waits for synchronous standbys: src/backend/replication/syncrep.c
_STANDBY: Final = "SyncRepWaitForLSN"
# The one that refuses, with 0A000, to plan what reads an UNLOGGED table: src/backend/optimizer/util/plancat.c
_UNLOGGED: Final = "get_relation_info"


class UnacknowledgedError(psycopg.OperationalError):
    """The wait for a synchronous standby was cancelled: the primary has committed, and nobody else."""


class Line:
    """A connection's prepared statements, and an eye on its socket.

    A cursor of psycopg would send BEGIN, unless the connection is switched to autocommit and back, and keeps books on
    each statement. Here it is libpq's Bind and Execute alone. It takes 30 % off the time of `authenticate`, sync and
    async, measured on a Unix socket.

    Attributes:
        prepared: its statements.
    """

    def __init__(self, driver: "psycopg.BaseConnection[Any]") -> None:
        bind(driver)
        self._driver = driver
        self._process = os.getpid()
        self._pgconn = driver.pgconn
        self._transformer = Transformer(PlainContext(driver))
        self.prepared: Prepared = Prepared(driver)
        self._names = self.prepared.names
        self._poll = select.poll()
        self._poll.register(driver.fileno(), select.POLLIN)
        self._has_ended = False
        self._is_unacknowledged = False
        self._is_waiting = False
        driver.add_notice_handler(self._note)

    @classmethod
    def of(cls, connection: PoolProxiedConnection) -> "Line":
        """Return the line of a pooled connection; it lives as long as the driver's connection does.

        A connection of the parent's, in a process of whose fork Python was not told, is closed here.
        """
        kept: Line | None = connection.info.get(_LINE)
        if kept is None:
            driver: Any = connection.driver_connection
            kept = connection.info[_LINE] = cls(driver)
        if kept._process != os.getpid():
            sever(kept._driver)
        return kept

    @property
    def driver(self) -> Any:  # noqa: ANN401 - psycopg's, of either kind
        """The driver's connection."""
        return self._driver

    @property
    def is_idle(self) -> bool:
        """Whether the connection is open, and in no transaction."""
        return bool(self._pgconn.transaction_status == _IDLE)

    def is_hung_up(self) -> bool:
        """Tell, without a round trip, that the server closed an idle connection.

        What it has sent meanwhile is read for that. A notification, or a setting that was changed by a reload, is kept
        by libpq for those whom it concerns.
        """
        # None of these gives Python's lock away. A look at the socket would, and other threads would take it.
        pgconn = self._pgconn
        try:
            pgconn.consume_input()
            if pgconn.transaction_status != _ACTIVE:  # else it would wait for the answer to what a host has sent
                pgconn.get_result()  # there is none, but the server's last word is read, which is handed to `_note`
        except psycopg.OperationalError:
            return True
        return self._has_ended

    def wait(self, steps: Steps) -> Any:  # noqa: ANN401 - of the steps
        """Go through the steps of a statement in this thread, and return its rows: see `wait_in_thread`."""
        self._is_waiting = True
        try:
            return wait_in_thread(cast("psycopg.Connection[Any]", self._driver), self._poll, steps)
        finally:
            self._is_waiting = False

    def awaited(self, steps: Steps) -> Coroutine[Any, Any, Any]:
        """Go through the steps of a statement in this task, and return its rows: see `wait_in_task`."""
        return wait_in_task(cast("psycopg.AsyncConnection[Any]", self._driver), steps)

    def ask(self, sql: str, parameters: Mapping[str, object]) -> Steps:
        """Run a statement, prepared on the server; for psycopg's `Connection.wait`, which returns the rows.

        It is a transaction of its own. Where it was prepared before a table was changed, it is prepared again, and sent
        once more: what has failed has done nothing.

        Args:
            sql: with parameters as `%(name)s`.
            parameters: by name; more of them do no harm.

        Raises:
            UnsuitableError: the connection speaks another encoding.
            UnacknowledgedError: nobody knows whether a synchronous standby has it.
            psycopg.Error: the server refuses it, or is gone.
        """
        text, names, formats = numbered(sql)
        sent = self._dumped(text, [parameters[name] for name in names], formats, self._transformer)
        return self.read((yield from self._answer(sent, _BINARY)))

    def query(
        self,
        text: bytes,
        values: "Sequence[object]",
        formats: "Sequence[PyFormat]",
        types: "tuple[int, ...]" = (),
        words: "Collection[int]" = (),
    ) -> Steps:
        """Run a statement of a host's model; for psycopg's `Connection.wait`, which returns the types and the rows.

        Of one that returns none, as many rows without a column as it has written.

        As `ask`, but values and rows pass through what the host has taught its connection, as with a cursor of
        psycopg: rows come as text, for which a host registers its loaders, unless it has registered none for their
        types, of which psycopg reads the binary form to the same values.

        Args:
            text: with parameters as `$1`, `$2` …
            values: in this order.
            formats: of the values, as many.
            types: of the columns of a statement that only reads, where they are known and there may be many rows.
            words: those of them that are enumerations.

        Raises:
            UnsuitableError: the connection speaks another encoding.
            UnacknowledgedError: nobody knows whether a synchronous standby has it.
            psycopg.Error: the server refuses it, or is gone, or a value of either side cannot be converted.
        """
        binary = Binary.of(self._driver, types, words) if types else None
        # As new as a cursor's: it keeps the time zone and the style of dates.
        transformer = Transformer(binary or self._driver)
        sent = self._dumped(text, values, formats, transformer)
        result: PGresult = yield from self._answer(sent, Format.BINARY if binary else Format.TEXT)
        if result.status == _COMMAND_OK:
            return (), [()] * (result.command_tuples or 0)
        if binary and types_of(result) != types:  # a column has got another type
            return (yield from self.query(text, values, formats))
        return loaded(result, transformer)

    def _answer(self, sent: "_Sent", wanted: Format) -> Steps:
        """Return the result of a statement; where it is stale, prepare it again."""
        known = self._names.get(sent.key)
        if self.prepared.are_old():
            yield from self._plan_anew()
        try:
            return self._with_rows((yield from self._execute(sent, known, wanted)))
        except psycopg.Error as error:
            self._tell_of_standby(error)
            if known is None or not STALE.fullmatch(error.sqlstate or ""):
                raise
            yield from self._forget(sent, known, error)
        return self._with_rows((yield from self._execute(sent, None, wanted)))

    def read(self, result: "PGresult") -> Rows:
        """Return the rows of a result that came through a cursor of the host's."""
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def _dumped(
        self, text: bytes, values: "Sequence[object]", formats: "Sequence[PyFormat]", transformer: "abc.Transformer"
    ) -> "_Sent":
        if self._pgconn.parameter_status(b"client_encoding") != b"UTF8":
            check_encoding(self._driver)
        given = transformer.dump_sequence(values, formats)
        return _Sent((text, transformer.types or ()), given, transformer.formats)

    def _note(self, notice: Diagnostic) -> None:
        self._has_ended = self._has_ended or notice.severity_nonlocalized in _ENDS
        self._is_unacknowledged = self._is_unacknowledged or notice.source_function == _STANDBY

    def _tell_of_standby(self, error: psycopg.Error) -> None:
        """Raise what is meant, on a standby, where UNLOGGED tables cannot even be read.

        A pooler does not pass on whether the server is one (`in_hot_standby`).
        """
        if isinstance(error, FeatureNotSupported) and error.diag.source_function == _UNLOGGED:
            raise ReadOnlySqlTransaction(*error.args) from None

    def _forget(self, sent: "_Sent", name: bytes, error: psycopg.Error) -> Steps:
        if isinstance(error, InvalidSqlStatementName):
            # The host has sent DEALLOCATE ALL. What was prepared since is still there, so that no
            # name may come a second time.
            self._names.clear()
            return
        yield from self._deallocate(sent.key, name)

    def _deallocate(self, key: "Key", name: bytes) -> Steps:
        del self._names[key]
        self._pgconn.send_query(b"DEALLOCATE " + name)
        self._checked((yield from execute(self._pgconn)), _COMMAND_OK)

    def _plan_anew(self) -> Steps:
        self._pgconn.send_query(b"DISCARD PLANS")
        yield from execute(self._pgconn)  # where a pooler refuses it, the plans stay

    def _execute(self, sent: "_Sent", known: bytes | None, wanted: Format) -> Steps:
        self._is_unacknowledged = False
        if self._driver.prepare_threshold is None:  # so says a host behind a pooler that cannot prepare
            text, types = sent.key
            self._pgconn.send_query_params(text, sent.given, types, sent.formats, wanted)
        else:
            name = known or (yield from self._prepare(sent))
            self._pgconn.send_query_prepared(name, sent.given, sent.formats, wanted)
        # What is long may not have been sent whole.
        if self._is_waiting and not self._pgconn.flush():
            return receive(cast("psycopg.Connection[Any]", self._driver), self._poll)
        return (yield from execute(self._pgconn))

    def _prepare(self, sent: "_Sent") -> Steps:
        if len(self._names) >= MOST_PREPARED:
            key, eldest = next(iter(self._names.items()))
            yield from self._deallocate(key, eldest)
        name = self.prepared.new_name()
        self._pgconn.send_prepare(name, *sent.key)
        self._checked((yield from execute(self._pgconn)), _COMMAND_OK)
        self._names[sent.key] = name
        return name

    def _with_rows(self, results: "list[PGresult]") -> "PGresult":
        wrote = results[0].status == _COMMAND_OK
        result = self._checked(results, _COMMAND_OK if wrote else _TUPLES_OK)
        if self._is_unacknowledged:
            raise UnacknowledgedError
        return result

    def _checked(self, results: "list[PGresult]", wanted: ExecStatus) -> "PGresult":
        # All of them: what fails at the commit (a serialization, a deferred constraint) is reported after the rows.
        for result in results:
            if result.status != wanted:
                raise error_from_result(result, self._transformer.encoding)
        return results[0]


class _Sent(NamedTuple):
    """A statement (its text, and the types of its parameters) and the parameters, as libpq takes them."""

    key: "Key"
    given: "Sequence[Buffer | None]"
    formats: "Sequence[Format] | None"
