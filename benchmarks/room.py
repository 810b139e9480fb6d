"""What a session takes on disk, by this build and by that of before, and what an entry of the cache takes in memory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.before import Before
from benchmarks.databases import connected, environment
from benchmarks.entrants import HERE
from pgauthkit.database.embedded import EmbeddedPostgres

__all__ = ["entries", "sessions"]

Line = dict[str, Any]


def sessions(server: EmbeddedPostgres, rows: int, before: Before | None) -> Iterator[Line]:
    """Yield the bytes of a session, written by each build itself in a database of its own."""
    pythons = {"pgauthkit": Path(sys.executable), **({"before": before.python} if before else {})}
    for name, python in pythons.items():
        database = f"room_{name}"
        with connected(server.url()) as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())
        answer = _asked(python, "benchmarks.contenders.session_room", server.url(database), rows)
        yield {"kind": "session_bytes", "contender": name, "rows": rows, **answer}


def entries(url: str, count: int) -> Line:
    """Return the bytes of an entry, of so many."""
    answer = _asked(Path(sys.executable), "benchmarks.contenders.entry_room", url, count)
    return {"kind": "entry_bytes", "entries": count, **answer}


def _asked(python: Path, module: str, url: str, count: int) -> dict[str, Any]:
    command = [str(python), "-m", module, str(count)]
    done = subprocess.run(  # noqa: S603 - our own programs
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment(url, count), cwd=HERE.parent
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
