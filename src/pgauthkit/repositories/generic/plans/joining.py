"""One statement of a plan in the transaction of a host, in one round trip with what has to go before it."""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from psycopg.adapt import Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.generators import execute, fetch_many
from psycopg.pq import ExecStatus, Format, TransactionStatus

from pgauthkit.database.line import Line
from pgauthkit.database.preparing import MOST_PREPARED, STALE
from pgauthkit.database.results.binary import Binary
from pgauthkit.database.results.loaded import loaded, types_of
from pgauthkit.repositories.generic.plans.plan import Plan

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

__all__ = ["joined"]

Steps: TypeAlias = Generator[Any, Any, Any]
Command: TypeAlias = Callable[[], None]


def joined(driver: Any, line: Line, plan: Plan, values: Sequence[Any], *, binary: bool = True) -> Steps:  # noqa: ANN401 - psycopg's, of either kind
    """Run a statement in a host's transaction; for psycopg's `Connection.wait`, which returns the types and the rows.

    BEGIN, where the transaction has not begun, and the preparation of the statement go along with it. One that was
    prepared before a table was changed, or a DISCARD ALL, fails, and the transaction with it, as with psycopg; it is
    prepared anew then. Where the transaction began with it, nothing else is lost: it is begun and asked once more.
    Rows come in binary as they do on an engine: see `Line.query`.

    Args:
        driver: the host's connection.
        line: of this connection.
        plan: of the statement.
        values: its parameters.
        binary: whether rows may come in binary.

    Raises:
        psycopg.Error: the server refuses it, or is gone, or a value of either side cannot be converted.
    """
    reading = Binary.of(driver, plan.types, plan.words) if binary and plan.types else None
    transformer = Transformer(reading or driver)  # as new as a cursor's: it keeps the time zone and the style of dates
    wanted = Format.BINARY if reading else Format.TEXT
    given = transformer.dump_sequence(values, plan.formats)
    key = plan.text, transformer.types or ()
    pgconn, name = driver.pgconn, line.prepared.names.get(key)
    before: list[Command] = []
    known, begins = name is not None, False
    if pgconn.transaction_status == TransactionStatus.IDLE and not driver.autocommit:
        begins = True
        before.append(partial(pgconn.send_query_params, driver._get_tx_start_command(), None))  # noqa: SLF001 - psycopg has no public name for it
    prepares = name is None and driver.prepare_threshold is not None and len(line.prepared.names) < MOST_PREPARED
    if prepares:
        name = line.prepared.new_name()
        before.append(partial(pgconn.send_prepare, name, *key))
    if name is None:
        last = partial(pgconn.send_query_params, plan.text, given, key[1], transformer.formats, wanted)
    else:
        last = partial(pgconn.send_query_prepared, name, given, transformer.formats, wanted)
    results = yield from _together(pgconn, [*before, last])
    failed = next((result for result in results if result.status == ExecStatus.FATAL_ERROR), None)
    if failed is not None:
        error = error_from_result(failed, driver.info.encoding)
        if isinstance(error, InvalidSqlStatementName):
            line.prepared.names.clear()  # the host has sent DEALLOCATE ALL
        elif STALE.fullmatch(error.sqlstate or ""):
            line.prepared.names.pop(key, None)
        if not (known and begins and STALE.fullmatch(error.sqlstate or "")):
            raise error
        pgconn.send_query(b"ROLLBACK")
        yield from execute(pgconn)
        return (yield from joined(driver, line, plan, values, binary=binary))
    if prepares and name is not None:
        line.prepared.names[key] = name
    if reading and types_of(results[-1]) != plan.types:  # a column has got another type
        return (yield from joined(driver, line, plan, values, binary=False))
    return loaded(results[-1], transformer)


def _together(pgconn: "PGconn", commands: Sequence[Command]) -> Steps:
    """Send commands, in one round trip, and return a result for each."""
    results: list[PGresult]
    if len(commands) == 1:
        commands[0]()
        results = yield from execute(pgconn)
        return results
    found: list[PGresult] = []
    try:
        pgconn.enter_pipeline_mode()
        for command in commands:
            command()
        pgconn.pipeline_sync()
        found += yield from execute(pgconn)
        for _ in commands:  # the last of them is the end of the pipeline
            found += yield from fetch_many(pgconn)
        pgconn.exit_pipeline_mode()
    except BaseException:
        pgconn.finish()  # what is still to come would be taken for the answer to something else
        raise
    return found[: len(commands)]
