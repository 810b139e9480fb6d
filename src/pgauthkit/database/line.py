"""`Line`: what is kept with a pooled connection, to send it a statement below psycopg's cursors."""

import os
import re
import select
from collections.abc import Generator, Mapping, Sequence
from functools import cache
from itertools import count
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
from psycopg.pq import ExecStatus, Format
from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.database.adapters import PlainContext
from pgauthkit.database.deadline import bind
from pgauthkit.database.forking import sever
from pgauthkit.database.suitability import check_encoding

if TYPE_CHECKING:
    from psycopg import abc
    from psycopg.abc import Buffer
    from psycopg.pq.abc import PGresult

__all__ = ["MOST_PREPARED", "STALE", "Line", "Rows", "UnacknowledgedError", "loaded"]

Rows: TypeAlias = list[tuple[Any, ...]]
Steps: TypeAlias = Generator[Any, Any, Any]
_Key: TypeAlias = tuple[bytes, tuple[int, ...]]

# Statements that the server keeps for one connection, some 10 to 50 kB each: those of the service are fewer than a
# hundred, those of repositories as many as there are shapes of calls.
MOST_PREPARED: Final = 500

_LINE: Final = "pgauthkit: line"
_NAMED: Final = re.compile(r"%\((\w+)\)s")
# What a statement may fail of only because it was prepared before a table was changed: a plan that cannot be
# changed (0A000), a name that is gone (26000), a type or an operator that was looked up then (42…, XX000).
STALE: Final = re.compile(r"0A000|26000|42...|XX000")
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
    """

    def __init__(self, driver: "psycopg.BaseConnection[Any]") -> None:
        bind(driver)
        self._driver = driver
        self._process = os.getpid()
        self._pgconn = driver.pgconn
        self._transformer = Transformer(PlainContext(driver))
        self._names: dict[_Key, bytes] = {}
        _note_deallocation(driver, self._names)
        self._numbers = count()
        self._poll = select.poll()
        self._poll.register(driver.fileno(), select.POLLIN)
        self._has_ended = False
        self._is_unacknowledged = False
        driver.add_notice_handler(self._note)

    @classmethod
    def of(cls, connection: PoolProxiedConnection) -> "Line":
        """Return the line of a pooled connection; it lives as long as the driver's connection does."""
        kept: Line | None = connection.info.get(_LINE)
        if kept is None:
            driver: Any = connection.driver_connection
            kept = connection.info[_LINE] = cls(driver)
        if kept._process != os.getpid():
            sever(kept._driver)
        return kept

    @property
    def names(self) -> dict["_Key", bytes]:
        """The statements that the server keeps prepared for it, by text and types, with their names."""
        return self._names

    def new_name(self) -> bytes:
        """Return a name that no statement has had."""
        return b"pgauthkit_%d" % next(self._numbers)

    @property
    def prepared(self) -> int:
        """How many statements the server keeps prepared for it."""
        return len(self._names)

    def is_hung_up(self) -> bool:
        """Tell, without a round trip, that the server closed an idle connection.

        What it has sent meanwhile is read for that. A notification, or a setting that was changed by a reload, is kept
        by libpq for those whom it concerns. A connection of the parent's, in a process of whose fork Python was not
        told, is closed here.
        """
        if self._process != os.getpid():
            sever(self._driver)
        return self._driver.closed or (bool(self._poll.poll(0)) and self._is_closed())

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
        text, names, formats = _numbered(sql)
        sent = self._dumped(text, [parameters[name] for name in names], formats, self._transformer)
        return self.read((yield from self._answer(sent, Format.BINARY)))

    def query(self, text: bytes, values: "Sequence[object]", formats: "Sequence[PyFormat]") -> Steps:
        """Run a statement of a host's model; for psycopg's `Connection.wait`, which returns the types and the rows.

        As `ask`, but values and rows pass through what the host has taught its connection, as with a cursor of
        psycopg: rows come as text, for which a host registers its loaders.

        Args:
            text: with parameters as `$1`, `$2` …
            values: in this order.
            formats: of the values, as many.

        Raises:
            UnsuitableError: the connection speaks another encoding.
            UnacknowledgedError: nobody knows whether a synchronous standby has it.
            psycopg.Error: the server refuses it, or is gone, or a value of either side cannot be converted.
        """
        transformer = Transformer(self._driver)  # as new as a cursor's: it keeps the time zone and the style of dates
        sent = self._dumped(text, values, formats, transformer)
        return loaded((yield from self._answer(sent, Format.TEXT)), transformer)

    def _answer(self, sent: "_Sent", wanted: Format) -> Steps:
        """Return the result of a statement; where it is stale, prepare it again."""
        known = self._names.get(sent.key)
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

    def _is_closed(self) -> bool:
        try:
            self._pgconn.consume_input()
            self._pgconn.is_busy()  # reads what has come, and so a server's last word, which is handed to `_note`
        except psycopg.OperationalError:
            return True
        return self._has_ended

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

    def _deallocate(self, key: "_Key", name: bytes) -> Steps:
        del self._names[key]
        self._pgconn.send_query(b"DEALLOCATE " + name)
        self._checked((yield from execute(self._pgconn)), ExecStatus.COMMAND_OK)

    def _execute(self, sent: "_Sent", known: bytes | None, wanted: Format) -> Steps:
        self._is_unacknowledged = False
        if self._driver.prepare_threshold is None:  # so says a host behind a pooler that cannot prepare
            text, types = sent.key
            self._pgconn.send_query_params(text, sent.given, types, sent.formats, wanted)
        else:
            name = known or (yield from self._prepare(sent))
            self._pgconn.send_query_prepared(name, sent.given, sent.formats, wanted)
        return (yield from execute(self._pgconn))

    def _prepare(self, sent: "_Sent") -> Steps:
        if len(self._names) >= MOST_PREPARED:
            key, eldest = next(iter(self._names.items()))
            yield from self._deallocate(key, eldest)
        name = self.new_name()
        self._pgconn.send_prepare(name, *sent.key)
        self._checked((yield from execute(self._pgconn)), ExecStatus.COMMAND_OK)
        self._names[sent.key] = name
        return name

    def _with_rows(self, results: "list[PGresult]") -> "PGresult":
        result = self._checked(results, ExecStatus.TUPLES_OK)
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

    key: "_Key"
    given: "Sequence[Buffer | None]"
    formats: "Sequence[Format] | None"


def _note_deallocation(driver: "psycopg.BaseConnection[Any]", names: dict["_Key", bytes]) -> None:
    """Empty the names when psycopg sends DEALLOCATE ALL for its own, as it does at each rollback, and tells nobody."""
    prepared = cast("Any", driver)._prepared  # noqa: SLF001 - psycopg has no public name for it
    clear = prepared.clear

    def clear_both() -> bool:
        is_sent: bool = clear()
        if is_sent:
            names.clear()
        return is_sent

    prepared.clear = clear_both


def loaded(result: "PGresult", transformer: "abc.Transformer") -> tuple[tuple[int, ...], Rows]:
    """Return the types of a result's columns, and its rows as Python has them."""
    transformer.set_pgresult(result)
    types = tuple(map(result.ftype, range(result.nfields)))
    return types, transformer.load_rows(0, result.ntuples, tuple)


@cache
def _numbered(sql: str) -> tuple[bytes, tuple[str, ...], list[PyFormat]]:
    """Return a statement with its parameters as `$1`, `$2` …, and their names and formats in that order."""
    numbers: dict[str, int] = {}
    text = _NAMED.sub(lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}", sql)
    return text.replace("%%", "%").encode(), tuple(numbers), [PyFormat.AUTO] * len(numbers)
