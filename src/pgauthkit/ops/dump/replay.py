"""Carrying out a dump's SQL in one transaction, which is committed only when the whole of it has been read."""

import os
import re
import subprocess
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Final

import attrs

from pgauthkit.errors import RestoreError
from pgauthkit.ops.dump.address import Address
from pgauthkit.ops.dump.child import Child, start
from pgauthkit.ops.dump.manifest import Format
from pgauthkit.ops.dump.programs import Programs
from pgauthkit.ops.dump.restriction import restriction, without_restrictions

__all__ = ["Script", "replay"]

_CHUNK: Final = 1 << 20  # bytes
# No start-up file; stop at the first error; no rows in what is said of it.
_PSQL: Final = (
    "--no-psqlrc",
    "--no-password",
    "--quiet",
    "--set=ON_ERROR_STOP=1",
    "--set=VERBOSITY=terse",
    "--set=SHOW_CONTEXT=never",
    f"--output={os.devnull}",
    "--file=-",
)
# Dropping waits for the users of a table, and everyone else then waits for us.
_BEGIN: Final = "SET client_encoding = 'UTF8';\nSET statement_timeout = 0;\nSET lock_timeout = '10s';\nBEGIN;"
# Every dump of PostgreSQL 17 and later begins with it, also one of an earlier server, which knows no such setting.
_NEW_SETTING: Final = b"SET transaction_timeout = 0;\n"
_NEW_SINCE: Final = 17
# A dump is restored with an empty search_path.
_NO_SCHEMA: Final = (
    "A function that names things without their schema fails in any restore of a dump: give it a search_path where it"
    " came from (ALTER FUNCTION … SET search_path = …), and take the backup again."
)
# What psql says, and what to do.
_HINTS: Final = (
    (re.compile(r'role ".*" does not exist'), "Leave owners and grants out with --no-owner."),
    (re.compile(r"(function|relation|operator|type) .* does not exist"), _NO_SCHEMA),
)


@attrs.frozen(kw_only=True)
class Script:
    """What is to be carried out.

    Attributes:
        dump: the file.
        format: its format.
        owners: whether owners and grants are restored; always true of plain SQL.
        first: statements to carry out before, in the same transaction.
    """

    dump: IO[bytes]
    format: Format
    owners: bool = True
    first: Sequence[str] = ()


def replay(
    script: Script,
    programs: Programs,
    address: Address,
    *,
    server: int,
    on_progress: Callable[[int], object] | None = None,
) -> None:
    """Carry a dump out: through pg_restore where it is of pg_dump's own format, and psql.

    psql obeys no backslash command of the dump's: one is an error. It gets the COMMIT from us, after the last byte, so
    that a process that is killed on the way, ours, pg_restore or psql, leaves the database as it was.

    Args:
        script: what is to be done.
        programs: which pg_restore and psql.
        address: the database.
        server: the server's major version.
        on_progress: called now and then with the bytes of the dump that were read.

    Raises:
        RestoreError: pg_restore or psql failed; says why.

    Example:
        >>> replay(Script(dump=file, format="custom"), programs, address, server=16)  # doctest: +SKIP
    """
    command = programs.command("psql", *_PSQL, f"--dbname={programs.conninfo(address)}")
    with (
        _source(script, programs) as (source, reader),
        start(command, environment=address.environment, stdin=subprocess.PIPE) as psql,
    ):
        failure = None
        with _until_it_ends(psql) as write:
            write(restriction() + "\n".join([_BEGIN, *(f"{statement};" for statement in script.first), ""]).encode())
            for chunk in without_restrictions(_chunks(source, server)):
                write(chunk)
                if on_progress:
                    on_progress(os.lseek(script.dump.fileno(), 0, os.SEEK_CUR))
            failure = reader.wait() if reader else None
            if not failure:
                write(b"\nCOMMIT;\n")
        if why := psql.wait() or failure:
            hints = (f" {hint}" for said, hint in _HINTS if said.search(why))
            raise RestoreError(f"The restore failed, and the database is as it was: {why}.{''.join(hints)}")


@contextmanager
def _source(script: Script, programs: Programs) -> Generator[tuple[IO[bytes], Child | None]]:
    dump = script.dump
    dump.seek(0)
    if script.format == "plain":
        yield dump, None
        return
    command = programs.command("pg_restore", *([] if script.owners else ["--no-owner", "--no-acl"]), "--file=-")
    with start(command, environment=os.environ, stdin=dump, stdout=subprocess.PIPE) as reader:
        assert reader.process.stdout is not None  # noqa: S101 - a pipe was asked for
        yield reader.process.stdout, reader


@contextmanager
def _until_it_ends(psql: Child) -> Generator[Callable[[bytes], object]]:
    # psql that meets an error leaves: it says why, and the pipe only that nobody reads it any more.
    stdin = psql.process.stdin
    assert stdin is not None  # noqa: S101 - a pipe was asked for
    with suppress(BrokenPipeError):
        yield stdin.write
    with suppress(BrokenPipeError):
        stdin.close()


def _chunks(source: IO[bytes], server: int) -> Iterator[bytes]:
    head = source.read(_CHUNK)
    yield head.replace(_NEW_SETTING, b"", 1) if server < _NEW_SINCE else head
    while chunk := source.read(_CHUNK):
        yield chunk
