"""Restoring a backup: checked before anything is touched, in one transaction, and compared with its manifest after."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs
from sqlalchemy import Connection

from pgauthkit.errors import RestoreError
from pgauthkit.ops.dump.address import Address
from pgauthkit.ops.dump.counts import count_rows, read_revisions
from pgauthkit.ops.dump.inspection import Dump, open_dump, refusal
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.dump.programs import Programs, find_programs
from pgauthkit.ops.dump.replay import Script, replay
from pgauthkit.ops.dump.snapshot import server_version
from pgauthkit.ops.dump.statistics import Statistics, gather_statistics
from pgauthkit.ops.revisions.diagnosis import diagnose
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.server.connection import Target, engine_for
from pgauthkit.ops.server.contents import find_subscriptions, statements_to_empty, statements_to_reset_privileges
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import migration_lock
from pgauthkit.ops.server.presence import count_others, name_of

__all__ = ["Discrepancy", "Restoration", "restore"]

_CALLED: Final = "pgauthkit restore"
_UNTOUCHED: Final = "The database was not touched."


@attrs.frozen(kw_only=True)
class Discrepancy:
    """Something that is not, after the restore, what the manifest says.

    Attributes:
        what: the rows, or the revisions, of which table.
        backup: what the manifest says.
        database: what the database has now.

    Example:
        >>> Discrepancy(what="rows of pgauthkit.users", backup="1204", database="1203").database
        '1203'
    """

    what: str
    backup: str
    database: str


@attrs.frozen(kw_only=True)
class Restoration:
    """What a restore did.

    Attributes:
        file: the dump.
        manifest: what stands beside it; None where nothing did, so that nothing could be checked.
        database: the name of the database.
        before: how many rows each table had; none for a database that was empty.
        after: how many each has now.
        discrepancies: what is not as the manifest says.
        pending: revisions of both tracks that a deployment would now apply.
        statistics: what the planner was told of the tables; None where `analyze` was false.
        duration: how long it took, with the statistics.

    Example:
        >>> done = restore("app-20260131T030000Z.dump", "postgresql://localhost/rehearsal")  # doctest: +SKIP
        >>> done.after["pgauthkit.users"], done.discrepancies  # doctest: +SKIP
        (1204, ())
    """

    file: Path
    manifest: Manifest | None
    database: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    discrepancies: tuple[Discrepancy, ...]
    pending: tuple[str, ...]
    statistics: Statistics | None
    duration: timedelta


def restore(
    file: Path | str,
    target: Target,
    *,
    host: Track | None = None,
    clean: bool = False,
    name: str | None = None,
    force: bool = False,
    owners: bool = True,
    analyze: bool = True,
    container: str | None = None,
    binaries: Path | None = None,
    lock_timeout: timedelta = timedelta(seconds=60),
    on_progress: Callable[[int], object] | None = None,
) -> Restoration:
    """Put what a dump has into a database, all of it or nothing, in one transaction.

    The file is compared with its manifest first, where it has one, then read through. It may be a dump of `backup`, or
    one that pg_dump made elsewhere, of its own format or as SQL. No deployer gets in between. When all is there and
    compared, the planner gets statistics of it. From async code: `await asyncio.to_thread(restore, file, engine)`.

    Args:
        file: the dump; its manifest is expected beside it, as `<file>.json`.
        target: the database, as for `pgauthkit.ops.migrate.deploy`; it must exist.
        host: the application's own revisions, to tell which are pending afterwards.
        clean: whether everything that is in the database is dropped first, in the same transaction.
        name: the database's name, as the person has typed it, which `clean` asks for.
        force: whether to go on while others are connected. A table that they use is waited for, for 10 s.
        owners: whether owners and grants are restored, which wants the same roles; always true of SQL.
        analyze: whether the tables are analyzed afterwards. What cannot be is no error; see `Restoration.statistics`.
        container: the container in which the programs are run, and in which the server is; by podman or else docker.
        binaries: the directory with PostgreSQL's programs; None to find them.
        lock_timeout: how long to wait for a deployer.
        on_progress: called now and then with the bytes of the file that were read.

    Raises:
        RestoreError: the file is missing, cut off, altered or no dump; the database is not empty, has another name, or
            is in use; the server refused. The database is as it was.
        ConfigError: the URL is not one of PostgreSQL, or there is no pg_restore.
        DatabaseUnavailableError: the database cannot be reached, or was lost.
        MigrationLockedError: a deployer was not done in time.
        MigrationError: a pooler in transaction mode is in between.

    Example:
        >>> restore("app-20260131T030000Z.dump", "postgresql://localhost/rehearsal").discrepancies  # doctest: +SKIP
        ()
    """
    started, engine = time.monotonic(), engine_for(target)
    with open_dump(Path(file)) as dump:
        known = find_programs(container=container, binaries=binaries)
        with (
            explained("The restore", engine.url, RestoreError),
            migration_lock(engine, timeout=lock_timeout) as connection,
        ):
            server = int(server_version(connection).partition(".")[0])
            programs = _fit(known, server, dump)
            drops = statements_to_empty(connection)
            _refuse(connection, drops, clean=clean, name=name, force=force)
            before = count_rows(connection)
            diagnose(connection, host)  # An env.py that fails should fail before.
            first = (*statements_to_reset_privileges(connection), *drops) if clean else ()
            script = Script(dump=dump.file, format=dump.format, owners=owners, first=first)
            replay(script, programs, Address.of(connection, name=_CALLED), server=server, on_progress=on_progress)
            return _restoration(connection, dump, host, before=before, analyze=analyze, started=started)


def _restoration(
    connection: Connection,
    dump: Dump,
    host: Track | None,
    *,
    before: Mapping[str, int],
    analyze: bool,
    started: float,
) -> Restoration:
    after = count_rows(connection)
    return Restoration(
        file=dump.path,
        manifest=dump.manifest,
        database=name_of(connection),
        before=before,
        after=after,
        discrepancies=tuple(_compare(connection, dump.manifest, after)) if dump.manifest else (),
        pending=tuple(name for track in diagnose(connection, host).tracks for name in track.pending),
        # Last: whatever becomes of the connection then, all is restored and compared.
        statistics=gather_statistics(connection) if analyze else None,
        duration=timedelta(seconds=time.monotonic() - started),
    )


def _fit(known: tuple[Programs, ...], server: int, dump: Dump) -> Programs:
    # The server's own version first, then later ones; the earlier ones may still be able to read the dump.
    ordered = sorted((one for one in known if one.restricts), key=lambda one: (one.major < server, one.major))
    if not ordered:
        raise RestoreError(
            f"psql {known[-1].version} can be made to run programs by a dump. {_UNTOUCHED}"
            " Install the latest minor release of it (16.10 or later), or name its directory (--binaries)."
        )
    if dump.format == "plain":
        return ordered[0]
    refusals = {one: refusal(one, dump.file) for one in ordered}
    found = next((one for one, why in refusals.items() if why is None), None)
    if found is None:
        raise RestoreError(f"The dump cannot be read: {refusals[ordered[0]]}. {_UNTOUCHED}")
    return found


def _refuse(connection: Connection, contents: tuple[str, ...], *, clean: bool, name: str | None, force: bool) -> None:
    actual = name_of(connection)
    if contents and not clean:
        raise RestoreError(
            f'The database "{actual}" is not empty. {_UNTOUCHED} Restore into an empty one (--to URL), or drop'
            f" everything that is in it (--clean --force {actual})."
        )
    if (contents or name is not None) and name != actual:
        raise RestoreError(f'The database is "{actual}", not "{name or ""}". {_UNTOUCHED}')
    if subscriptions := find_subscriptions(connection):
        raise RestoreError(
            f"No transaction can drop a subscription: {', '.join(subscriptions)}. {_UNTOUCHED} Drop it first."
        )
    if not force and (others := count_others(connection)):
        raise RestoreError(
            f"Other sessions are connected to the database: {others}. {_UNTOUCHED} Stop the application first."
        )


def _compare(connection: Connection, manifest: Manifest, after: Mapping[str, int]) -> Iterator[Discrepancy]:
    if manifest.schema_only:
        return
    for table in sorted(manifest.rows.keys() | after.keys()):
        expected, found = manifest.rows.get(table), after.get(table)
        if expected != found:
            what, no = f"rows of {table}", "no such table"
            told = [no if number is None else str(number) for number in (expected, found)]
            yield Discrepancy(what=what, backup=told[0], database=told[1])
    for table, current in read_revisions(connection, manifest.revisions).items():
        if current != manifest.revisions[table]:
            was, is_ = (", ".join(names) or "none" for names in (manifest.revisions[table], current))
            yield Discrepancy(what=f"revisions of {table}", backup=was, database=is_)
