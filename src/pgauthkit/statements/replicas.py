"""Statements on positions in the log (WAL): how far a primary has written, and how far a replica has replayed.

https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-ADMIN-BACKUP and the two sections after it.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, DateTime, Select, Text, case, cast, func, literal_column, select

from pgauthkit.statements.statement import NOW, Statement, constant

__all__ = ["FLUSHED_SOON", "HERE", "REPLAYED", "WRITTEN", "on_replica"]

_STANDBY: Final = func.pg_is_in_recovery()
# Which server it is, also behind a proxy or a pooler that chooses one for each statement; null where it is no standby.
HERE: Final[ColumnElement[Any]] = case((_STANDBY, func.pg_postmaster_start_time(type_=DateTime(timezone=True))))


def on_replica(read: Select[*tuple[Any, ...]]) -> Statement:
    """Make a read that names the server that answered it, in its first column."""
    return Statement(read.with_only_columns(HERE, *read.selected_columns))


def _bytes(position: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(position.op("-")(literal_column("'0/0'::pg_lsn")), BigInteger)


def _on_primary(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((~_STANDBY, value))


def _written() -> Statement:
    """What is committed is before the insert position, also where its commit did not wait for the disk."""
    inserted = func.pg_current_wal_insert_lsn()
    timeline = func.substr(func.pg_walfile_name(inserted), literal_column("1"), literal_column("8"), type_=Text())
    flushed = func.pg_current_wal_flush_lsn()
    return Statement(select(_on_primary(_bytes(inserted)), _on_primary(_bytes(flushed)), _on_primary(timeline), NOW))


def _replayed() -> Statement:
    """The timeline is in the control file from a restart point on; a role that may see the receiver knows it before."""
    control = func.pg_control_checkpoint().table_valued("timeline_id")
    recovery = func.pg_control_recovery().table_valued("min_recovery_end_timeline")
    receiver = func.pg_stat_get_wal_receiver().table_valued("received_tli")
    timeline = func.greatest(
        select(control.c.timeline_id).scalar_subquery(),
        select(recovery.c.min_recovery_end_timeline).scalar_subquery(),
        select(receiver.c.received_tli).scalar_subquery(),
        type_=BigInteger(),
    )
    # None of it where the log is not replayed, as on replicas that have their storage in common with the primary.
    replayed = func.coalesce(_bytes(func.pg_last_wal_replay_lsn()), literal_column("0"))
    return Statement(select(HERE, replayed, timeline))


WRITTEN: Final = _written()
REPLAYED: Final = _replayed()
# A transaction that has a number and wrote nothing: its commit does not wait for the disk, and has the WAL writer flush
# all that is before it. https://www.postgresql.org/docs/16/wal-async-commit.html
FLUSHED_SOON: Final = Statement(select(constant("ok"), func.pg_current_xact_id()))
