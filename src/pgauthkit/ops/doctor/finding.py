"""What the doctor knows of a set-up, and what it reports."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from pgauthkit.ops.revisions.tracks import Track

__all__ = ["Check", "Finding", "Level", "Report", "SetUp"]

Level: TypeAlias = Literal["ok", "warning", "wrong"]
"""`wrong`: something fails, or will. `warning`: it may one day, or could not be looked at."""
Check: TypeAlias = Literal[
    "server",
    "pooler",
    "version",
    "encoding",
    "standby",
    "replica",
    "rights",
    "revisions",
    "drift",
    "pool",
    "clock",
    "zone",
    "bloat",
    "analyze",
    "purge",
    "addresses",
    "columns",
    "backups",
]


@attrs.frozen(kw_only=True)
class SetUp:
    """A set-up to be examined.

    Attributes:
        url: what the application connects to, such as `DATABASE_URL`.
        direct_url: what leads to the server itself, past a pooler, such as `DIRECT_URL`; None where it is the same.
        host: the application's own revisions.
        pool_size: connections of a process, at most; None for what the URL says, or else 15, SQLAlchemy's 5 and 10.
        processes: how many processes of the application there are, each with a pool of its own.
        backups: the directory of the backups; None where there is none to look at.
        backup_age: how old the newest backup may be; a day, and two hours for making it, when not given.
        purge_age: how long rows may be over before they count as overdue; eight days when not given.
        bloat_from: the bytes from which an index is worth looking at; 10 MiB when not given.
        replica_url: of a replica that reads are sent to (`ReplicaReads`); None where there is none to look at.
        max_staleness: how old the answers of the replica may be; a second when not given.

    Example:
        >>> SetUp(url="postgresql://localhost/blog").direct
        'postgresql://localhost/blog'
    """

    url: str
    direct_url: str | None = None
    host: Track | None = None
    pool_size: int | None = None
    processes: int = 1
    backups: Path | None = None
    backup_age: timedelta = timedelta(hours=26)
    purge_age: timedelta = timedelta(days=8)
    bloat_from: int = 10 * 1024 * 1024
    replica_url: str | None = None
    max_staleness: timedelta = timedelta(seconds=1)

    @property
    def direct(self) -> str:
        """What leads to the server itself."""
        return self.direct_url or self.url


@attrs.frozen(kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: which one.
        level: `ok`, `warning` or `wrong`.
        message: what is so, in a sentence.
        advice: what to do; empty where all is well.

    Example:
        >>> [found.check for found in examine(set_up).findings if found.level == "wrong"]  # doctest: +SKIP
        ['revisions']
    """

    check: Check
    level: Level
    message: str
    advice: str = ""


@attrs.frozen(kw_only=True)
class Report:
    """What all checks found.

    Attributes:
        findings: one or more of each check, in the order of looking.

    Example:
        >>> Report(findings=()).is_fine
        True
    """

    findings: tuple[Finding, ...]

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong; there may be warnings."""
        return all(finding.level != "wrong" for finding in self.findings)
