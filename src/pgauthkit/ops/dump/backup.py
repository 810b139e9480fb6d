"""Making a backup: pg_dump's file, checked and on the disk before it has its name, and beside it its manifest."""

import os
import re
import time
from collections.abc import Callable
from datetime import UTC, timedelta
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import IO, Final

import attrs

from pgauthkit.errors import BackupError, RestoreError
from pgauthkit.ops.dump.archive import claimed, publish, unfinished
from pgauthkit.ops.dump.child import start
from pgauthkit.ops.dump.inspection import refusal, require_whole_script
from pgauthkit.ops.dump.manifest import Format, Manifest, digest
from pgauthkit.ops.dump.programs import Programs, find_programs
from pgauthkit.ops.dump.retention import Retention
from pgauthkit.ops.dump.snapshot import Snapshot, share_snapshot
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.server.connection import Target, engine_for
from pgauthkit.ops.server.failure import explained

__all__ = ["Backup", "backup"]

_SUFFIXES: Final = {"custom": "dump", "plain": "sql"}


@attrs.frozen(kw_only=True)
class Backup:
    """A backup that was made.

    Attributes:
        file: the dump.
        manifest: what it says of the dump, and stands beside it.
        deleted: older dumps that need not be kept, the newest first.
        duration: how long it took.

    Example:
        >>> made = backup("postgresql://app@db.example/app", directory="backups", keep=7)  # doctest: +SKIP
        >>> made.file.name, len(made.deleted)  # doctest: +SKIP
        ('app-20260131T030000Z.dump', 1)
    """

    file: Path
    manifest: Manifest
    deleted: tuple[Path, ...]
    duration: timedelta


def backup(
    target: Target,
    *,
    directory: Path | str,
    host: Track | None = None,
    format: Format = "custom",  # noqa: A002 - pg_dump's word
    schema_only: bool = False,
    keep: int | None = None,
    keep_for: timedelta | None = None,
    container: str | None = None,
    binaries: Path | None = None,
    on_progress: Callable[[int], object] | None = None,
) -> Backup:
    """Write a dump of a whole database into a directory: `<database>-<UTC time>.dump`, and `….dump.json` beside it.

    It is written under a temporary name, checked with `pg_restore --list`, and forced onto the disk before it gets its
    name: what has the name is whole. The rows are counted in the very moment that the dump shows. The database may be
    in use; only changes of its schema wait. One backup at a time is written into a directory. Dump and manifest are
    for their owner alone to read. From async code: `await asyncio.to_thread(backup, engine, directory=…)`.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`; it must lead to the server itself.
        directory: where it goes; made when missing.
        host: the application's own revisions, to name them in the manifest.
        format: `custom`, compressed, or `plain` SQL.
        schema_only: leave the rows out.
        keep: delete all but so many backups of this database, when this one is done.
        keep_for: delete those that are older. What either of the two keeps is kept.
        container: the container in which pg_dump is run, and in which the server is; by podman or else docker.
        binaries: the directory with PostgreSQL's programs; None to find them.
        on_progress: called now and then with the bytes written so far.

    Raises:
        ConfigError: the URL is not one of PostgreSQL, there is no pg_dump, or `keep` or `keep_for` is out of range.
        DatabaseUnavailableError: the database cannot be reached, or was lost.
        BackupError: pg_dump is older than the server, or failed; another backup is being written; the disk is full;
            a pooler in transaction mode is in between. Then no file has been left.

    Example:
        >>> backup("postgresql://app@db.example/app", directory="backups", keep=7).file  # doctest: +SKIP
        PosixPath('backups/app-20260131T030000Z.dump')
    """
    started = time.monotonic()
    retention, engine = Retention(keep=keep, keep_for=keep_for), engine_for(target)
    with (
        explained("The backup", engine.url, BackupError),
        claimed(Path(directory)) as claim,
        share_snapshot(engine, host=host, rows=not schema_only) as snapshot,
    ):
        programs = _fit(find_programs(container=container, binaries=binaries), snapshot.server_version)
        file = _name(Path(directory), snapshot, format)
        with unfinished(file) as dump:
            report = partial(_report, dump, on_progress or (lambda _size: None))
            options = [f"--format={format}", *(["--schema-only"] if schema_only else [])]
            _dump(programs, snapshot, dump, options, report)
            _check(programs, dump, format)
            manifest = _describe(programs, snapshot, dump, format, schema_only=schema_only)
            publish(file, manifest, dump, directory=claim)
        deleted = retention.apply(file, manifest)
    duration = timedelta(seconds=time.monotonic() - started)
    return Backup(file=file, manifest=manifest, deleted=deleted, duration=duration)


def _fit(known: tuple[Programs, ...], server: str) -> Programs:
    # The oldest that will do: what a later pg_dump writes, the server's own pg_restore may not read.
    found = next((one for one in known if one.major >= int(server.partition(".")[0])), None)
    if found is None:
        raise BackupError(
            f"pg_dump {known[-1].version} is older than the server, {server}, and would leave out what it does not"
            " know. Nothing was written. Install a newer one, or name its directory (--binaries)."
        )
    return found


def _name(directory: Path, snapshot: Snapshot, format_: Format) -> Path:
    plain = re.sub(r"[^\w.-]", "_", snapshot.database).lstrip(".")
    stem = directory / f"{plain}-{snapshot.taken_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    again = chain([""], (f".{number}" for number in count(2)))
    return next(path for path in (Path(f"{stem}{more}.{_SUFFIXES[format_]}") for more in again) if not path.exists())


def _dump(
    programs: Programs, snapshot: Snapshot, dump: IO[bytes], options: list[str], report: Callable[[], object]
) -> None:
    arguments = [f"--snapshot={snapshot.id}", "--no-password", f"--dbname={programs.conninfo(snapshot.address)}"]
    # By name: on standard output pg_dump can only append, and its table of contents comes twice.
    place = [] if programs.inside else [f"--file={dump.name}"]
    command = programs.command("pg_dump", *arguments, *place, *options)
    with start(command, environment=snapshot.address.environment, stdout=dump) as child:
        if why := child.wait(report):
            raise BackupError(f"pg_dump failed: {why}. Nothing was left.")


def _check(programs: Programs, dump: IO[bytes], format_: Format) -> None:
    if format_ == "plain":
        try:
            require_whole_script(dump, "The dump")
        except RestoreError as error:
            raise BackupError(f"{error} Nothing was left.") from error
    elif why := refusal(programs, dump):
        raise BackupError(f"The dump cannot be read again: {why}. Nothing was left.")


def _describe(
    programs: Programs, snapshot: Snapshot, dump: IO[bytes], format_: Format, *, schema_only: bool
) -> Manifest:
    return Manifest(
        database=snapshot.database,
        created_at=snapshot.taken_at,
        format=format_,
        schema_only=schema_only,
        size=os.fstat(dump.fileno()).st_size,
        sha256=digest(dump),
        server_version=snapshot.server_version,
        tool_version=programs.version,
        revisions=snapshot.revisions,
        rows=snapshot.rows,
    )


def _report(dump: IO[bytes], on_progress: Callable[[int], object]) -> None:
    on_progress(os.fstat(dump.fileno()).st_size)
