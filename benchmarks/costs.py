"""What is measured once and not in turns: imports, memory and migrations. Each in a process of its own."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.databases import connected, create, environment, settle
from benchmarks.plan import Size
from benchmarks.rows import copy_users
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.ops.migrate import deploy

__all__ = ["measured"]

Line = dict[str, Any]

IMPORTS: Final = {
    "given": "import sqlalchemy.orm, sqlalchemy.ext.asyncio, psycopg, argon2, email_validator",
    "package": "import pgauthkit",
    "services": "from pgauthkit import AsyncAuthService, AuthService",
}
TIMES: Final = 11


def measured(server: EmbeddedPostgres, size: Size) -> Iterator[Line]:
    """Yield a line for each."""
    yield from _imports()
    yield _migrations(server)
    yield from _memory(server, size)


def _imports() -> Iterator[Line]:
    """Import in turns, in a new interpreter each time; processor time, which is steadier than the clock's."""
    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(TIMES):
        for name, statement in IMPORTS.items():
            code = f"import time; before = time.process_time()\n{statement}\nprint(time.process_time() - before)"
            taken[name].append(float(_python("-c", code)))
    for name, seconds in taken.items():
        ratios = [mine / base for mine, base in zip(seconds, taken["given"], strict=True)]
        middle = statistics.median(seconds) * 1e3
        yield {"kind": "import", "what": name, "statement": IMPORTS[name], "milliseconds": middle, "ratios": ratios}


def _migrations(server: EmbeddedPostgres) -> Line:
    seconds: list[float] = []
    for number in range(5):
        name = f"empty_{number}"
        with connected(server.url()) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        start = time.perf_counter()
        deploy(server.url(name))
        seconds.append(time.perf_counter() - start)
    return {"kind": "deploy", "seconds": statistics.median(seconds)}


def _memory(server: EmbeddedPostgres, size: Size) -> Iterator[Line]:
    """Have an idle service's memory, and the most that a million rows add to it, told by the process itself."""
    url = create(server, "memory")
    with connected(url) as connection:
        copy_users(connection, size.rows)
    settle(url)
    for what in ("read", "write"):
        answer = _python("-m", "benchmarks.memory", what, str(size.rows), url=url)
        yield {"kind": "memory", "what": what, "rows": size.rows, **json.loads(answer)}


def _python(*arguments: str, url: str = "postgresql://") -> str:
    command = [sys.executable, *arguments]
    variables = environment(url, 0)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables).stdout  # noqa: S603
