"""The SQL of revisions, to be read before it is run, and what squawk says of it."""

import json
import re
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from shutil import which
from typing import Final, cast

import attrs

from pgauthkit.errors import MigrationError
from pgauthkit.ops.revisions.diagnosis import status
from pgauthkit.ops.revisions.environment import written_out
from pgauthkit.ops.revisions.tracks import BUNDLED, Track, TrackName
from pgauthkit.ops.server.connection import Target
from pgauthkit.ops.server.failure import explained_offline
from pgauthkit.ops.server.lock import one_in_this_process

__all__ = ["Finding", "Script", "lint", "pending_sql", "range_sql"]

# A deployment sets the timeouts itself, and undoes a revision that fails; two more are taste, not safety.
_SETTLED: Final = frozenset(
    {
        "require-lock-timeout",
        "require-statement-timeout",
        "prefer-robust-stmts",
        "prefer-text-field",
        "prefer-bigint-over-int",
    }
)
# Where squawk says only what is wrong.
_SAFE_FORM: Final = {
    "ban-drop-column": "Deploy code that does not use it first, and drop it with the next release.",
    "ban-drop-table": "Deploy code that does not use it first, and drop it with the next release.",
    "changing-column-type": "Add a new column, write both, fill it in batches, then read the new one and drop the old.",
    "renaming-column": "Add a new column, write both, fill it in batches, then read the new one and drop the old.",
    "renaming-table": "Give the new table's name to a view of the old one until no code uses the old name.",
}
# What squawk says nothing of: a native enum's labels, and what reads or writes a whole table while others wait.
_REWRITES: Final = "It writes the whole table anew, and neither readers nor writers get in until it is done."
_UNSAID: Final = tuple(
    (re.compile(rf"^\s*{start}", re.MULTILINE | re.IGNORECASE), rule, message, cure)
    for start, rule, message, cure in (
        (
            r"CREATE\s+TYPE\s[^;]*?\sAS\s+ENUM\b",
            "native-enum",
            "A label of an enum type can be added, but never removed.",
            "Text with a CHECK can be changed both ways: Enum(…, native_enum=False, create_constraint=True).",
        ),
        (
            r"ALTER\s+TYPE\s[^;]*?\sADD\s+VALUE\b",
            "enum-label-stays",
            "A label cannot be removed again, and the transaction that adds it cannot use it.",
            "Deploy code that can read it first, and the code that writes it after this revision.",
        ),
        (
            r"(?:CLUSTER\b|VACUUM\s*\([^)]*\bFULL\b(?!\s+(?:false|off|0))|VACUUM\s+FULL\b)",
            "rewrites-table",
            _REWRITES,
            "pg_repack or pg_squeeze do the same beside the application; plain VACUUM blocks nobody.",
        ),
        (
            r"ALTER\s+TABLE\s[^;]*?\sSET\s+(?:LOGGED|UNLOGGED|TABLESPACE|ACCESS\s+METHOD)\b",
            "rewrites-table",
            _REWRITES,
            "Fill a new table beside it in batches, then swap the names.",
        ),
        (
            (
                r"ALTER\s+TABLE\s[^;]*?\sADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?!COLUMN\b|CONSTRAINT\b)"
                r'(?:"[^"]+"|\w+)\s+(?:small|big)?serial[248]?\b'
            ),
            "rewrites-table",
            _REWRITES,
            "Add a nullable column and a sequence, fill it in batches, then set the default and NOT NULL.",
        ),
        (
            r"REFRESH\s+MATERIALIZED\s+VIEW\s+(?!CONCURRENTLY\b)(?![^;]*\bWITH\s+NO\s+DATA\b)",
            "require-concurrent-refresh",
            "Nobody can read the view until it is filled.",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY, for which it needs a unique index.",
        ),
        (
            r"ALTER\s+TABLE\s[^;]*?\sATTACH\s+PARTITION\b",
            "attach-reads-partition",
            "It reads every row of the new partition for its bounds, and none is read or written meanwhile.",
            "Add a CHECK of those bounds to it first, NOT VALID, then VALIDATE it: what a CHECK proves is not read.",
        ),
    )
)


@attrs.frozen(kw_only=True)
class Script:
    """SQL to be read.

    Attributes:
        track: `bundled` or `host`.
        sql: what runs.

    Example:
        >>> [script.track for script in pending_sql("postgresql://app@db.example/app", host=track)]  # doctest: +SKIP
        ['bundled', 'host']
    """

    track: TrackName
    sql: str


@attrs.frozen(kw_only=True)
class Finding:
    """A step that is not safe on a database in use.

    Attributes:
        rule: its name, such as `require-concurrent-index-creation`.
        line: where, in the SQL.
        message: what is wrong with it.
        help: the safe form, where there is one.

    Example:
        >>> lint("CREATE INDEX ix ON posts (title);")[0].help  # doctest: +SKIP
        'Use `CONCURRENTLY` …'
    """

    rule: str
    line: int
    message: str
    help: str


def pending_sql(target: Target, *, host: Track | None = None) -> tuple[Script, ...]:
    """Return what a deployment would run, one script for each track that has something pending.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`; it is only read.
        host: the application's own revisions.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
        MigrationError: its current revision cannot be determined, or a revision cannot be written out as SQL.

    Example:
        >>> print(pending_sql("postgresql://app@db.example/app")[0].sql)  # doctest: +SKIP
        BEGIN; …
    """
    found = status(target, host=host)
    scripts: list[Script] = []
    for track, standing in ((BUNDLED, found.bundled), (host, found.host)):
        if track and standing and standing.pending:
            scripts.append(_script(track, standing.current, "heads"))
    return tuple(scripts)


def range_sql(track: Track, between: str) -> Script:
    """Return the SQL from one revision to another, up or down. Needs no database.

    Args:
        track: whose revisions.
        between: `FROM:TO`; an empty FROM is a database with nothing, `base`, and an empty TO the head.

    Raises:
        MigrationError: there is no colon, no such revision, or it cannot be written out as SQL.

    Example:
        >>> range_sql(BUNDLED, "base:0001").track
        'bundled'
    """
    start, colon, destination = between.partition(":")
    if not colon:
        raise MigrationError(f"The range is written FROM:TO, such as base:{between}; FROM alone says no direction.")
    start = "" if start == "base" else start
    names = [revision.id for revision in track.revisions()]
    down = destination == "base" or (
        start in names and destination in names and names.index(destination) < names.index(start)
    )
    return _script(track, (start,) if start else (), destination or "heads", down=down)


def lint(sql: str) -> tuple[Finding, ...]:
    """Return what squawk finds in SQL, and what it leaves out of native enums and of rewritten tables, by the line.

    squawk is a program of its own, from PyPI: `squawk-cli`.

    Raises:
        MigrationError: squawk is not installed, or cannot read the SQL.

    Example:
        >>> lint("CREATE INDEX ix ON posts (title);")[0].rule  # doctest: +SKIP
        'require-concurrent-index-creation'
    """
    program = which("squawk", path=sysconfig.get_path("scripts")) or which("squawk")
    if program is None:
        raise MigrationError("squawk is not installed: pip install squawk-cli.")
    arguments = [program, "--reporter=json", "--stdin-filepath=migration.sql"]
    done = subprocess.run(arguments, input=sql, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    try:
        found = cast("list[dict[str, object]]", json.loads(done.stdout))
    except ValueError:
        raise MigrationError(f"squawk failed: {done.stderr.strip()}") from None
    findings = [
        Finding(
            rule=str(item["rule_name"]),
            line=int(str(item["line"])) + 1,
            message=str(item["message"]),
            help=str(item.get("help") or _SAFE_FORM.get(str(item["rule_name"]), "")),
        )
        for item in found
        if item["rule_name"] not in _SETTLED and not _is_virtual(sql, item)
    ]
    return tuple(sorted([*findings, *_of_ours(sql)], key=lambda finding: finding.line))


def _of_ours(sql: str) -> Iterator[Finding]:
    for pattern, rule, message, cure in _UNSAID:
        for match in pattern.finditer(sql):
            line = sql.count("\n", 0, match.end()) + 1
            yield Finding(rule=rule, line=line, message=message, help=cure)


def _is_virtual(sql: str, item: Mapping[str, object]) -> bool:
    """Say whether it is about a column that is computed when read, so that no table is rewritten.

    That is what PostgreSQL 18 makes of a generated column without STORED, which 16 and 17 refuse.
    """
    begin, end = int(str(item["column"])), int(str(item["column_end"]))
    lines = sql.encode().splitlines()  # Its columns count bytes.
    said = b" ".join(
        [*lines[int(str(item["line"])) : int(str(item["line_end"]))], lines[int(str(item["line_end"]))][:end]]
    )
    return said[begin:].upper().startswith(b"GENERATED ALWAYS AS (") and not said.upper().endswith(b"STORED")


def _script(track: Track, start: tuple[str, ...], destination: str, *, down: bool = False) -> Script:
    with explained_offline(), one_in_this_process():
        return Script(track=track.name, sql=written_out(track, start, destination, down=down))
