"""Who takes part: the program of each, what it can do, and the environment that it needs."""

import shutil
from pathlib import Path
from typing import Final

import attrs

from benchmarks.before import Before

__all__ = ["BUILD", "CONTENDERS", "HERE", "NODE_READY", "OWN", "PEERS_NODE", "PEERS_PYTHON", "SHARED", "Contender"]

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parent / "build"
PEERS_PYTHON: Final = BUILD / "peers" / "bin" / "python"
PEERS_NODE: Final = BUILD / "peers-node"
NODE_READY: Final = PEERS_NODE / "ready"

# The tables of a repository's work: those that Prisma's migrations make, for everybody, and pgauthkit's.
SHARED, OWN = "shared", "own"


@attrs.frozen(kw_only=True)
class Contender:
    """Somebody who takes part.

    Attributes:
        program: the module, or the script of Node.
        variant: which of its ways.
        works: what it can do.
        home: whose environment it needs: `here`; `python` or `node` of the peers; `before` for a program of today's on
            the build of another commit, `then` for that commit's own program.
        tables: those on which it does a repository's work.
    """

    program: str
    variant: str = ""
    works: frozenset[str]
    home: str = "here"
    tables: frozenset[str] = frozenset({SHARED})

    def command(self, before: Before | None) -> list[str]:
        """Return how it is started; empty where its environment is not installed."""
        if self.home == "node":
            node = shutil.which("node")
            return [node, str(PEERS_NODE / self.program)] if node and NODE_READY.exists() else []
        if self.home in ("before", "then"):
            return [str(before.python), "-m", self.program] if before else []
        python = PEERS_PYTHON if self.home == "python" else BUILD.parent / ".venv" / "bin" / "python"
        return [str(python), "-m", self.program] if python.exists() else []

    def folder(self, before: Before | None) -> Path:
        """Return where it is started, which is where Python looks for `benchmarks`."""
        return before.source if before and self.home == "then" else HERE.parent


_SERVICE, _DRIVER = "benchmarks.contenders.service", "benchmarks.contenders.driver"
_RECORDS, _RAW = "benchmarks.contenders.records", "benchmarks.contenders.raw"
_TOKENS = "benchmarks.contenders.tokens"

_SIGN_IN = frozenset({"authenticate", "verify_link", "refresh", "request_link", "list_sessions"})
_SENT = frozenset({"authenticate", "verify_link", "refresh"})
_ONE_BY_ONE = frozenset({"find_unique", "find_many", "include", "create", "update", "upsert", "page"})
_ROWS = _ONE_BY_ONE | {"find_many_10000", "create_many"}
_PRISMA = _SENT | _ONE_BY_ONE | {"create_many"}
_BOTH = frozenset({SHARED, OWN})

CONTENDERS: Final = {
    "pgauthkit": Contender(program=_SERVICE, works=_SIGN_IN),
    "pgauthkit async": Contender(program=f"{_SERVICE}_async", works=_SIGN_IN),
    "before": Contender(program=_SERVICE, works=_SIGN_IN, home="then"),
    "before async": Contender(program=f"{_SERVICE}_async", works=_SIGN_IN, home="then"),
    "pgauthkit, engine": Contender(program=_RECORDS, variant="engine", works=_ROWS, tables=_BOTH),
    "pgauthkit, session": Contender(program=_RECORDS, variant="session", works=_ROWS, tables=_BOTH),
    "pgauthkit async, engine": Contender(program=f"{_RECORDS}_async", variant="engine", works=_ONE_BY_ONE),
    "pgauthkit async, session": Contender(program=f"{_RECORDS}_async", variant="session", works=_ONE_BY_ONE),
    "before, repository": Contender(program=_RECORDS, variant="best", works=_ROWS, home="before", tables=_BOTH),
    "before async, repository": Contender(
        program=f"{_RECORDS}_async", variant="best", works=_ONE_BY_ONE, home="before"
    ),
    "psycopg, rows": Contender(program=_RAW, works=_ROWS, tables=_BOTH),
    "SQLAlchemy, selectinload": Contender(program=_RECORDS, variant="sqlalchemy", works=frozenset({"include"})),
    "psycopg": Contender(program=_DRIVER, works=_SIGN_IN),
    "psycopg async": Contender(program=f"{_DRIVER}_async", works=_SIGN_IN),
    "psycopg, our statement": Contender(program=_DRIVER, variant="ours", works=frozenset({"authenticate"})),
    "psycopg, several statements": Contender(program=_DRIVER, variant="several", works=frozenset({"verify_link"})),
    "pgbench": Contender(program="benchmarks.contenders.server", works=frozenset({"authenticate"})),
    "pgauthkit, no cache": Contender(program=_TOKENS, works=frozenset({"cached", "missed"})),
    "pgauthkit, cache": Contender(program=_TOKENS, variant="cache", works=frozenset({"cached", "missed"})),
    "before, no cache": Contender(program=_TOKENS, works=frozenset({"cached"}), home="before"),
    "pgauthkit async, no cache": Contender(program=f"{_TOKENS}_async", works=frozenset({"cached_async", "arrivals"})),
    "pgauthkit async, cache": Contender(program=f"{_TOKENS}_async", variant="cache", works=frozenset({"cached_async"})),
    "before async, no cache": Contender(
        program=f"{_TOKENS}_async", works=frozenset({"cached_async", "arrivals"}), home="before"
    ),
    "Prisma tuned": Contender(program="prisma.mjs", variant="tuned", works=_PRISMA, home="node"),
    "Prisma": Contender(program="prisma.mjs", works=_SENT | {"find_unique", "include"}, home="node"),
    "better-auth": Contender(program="better_auth.mjs", works=_SENT | {"find_unique", "include"}, home="node"),
    "advanced-alchemy": Contender(
        program="benchmarks.peers.advanced", works=_SENT | _ONE_BY_ONE | {"create_many"}, home="python"
    ),
    "Django": Contender(
        program="benchmarks.peers.django_sessions",
        works=frozenset({"authenticate", "find_unique", "refresh", "create_many"}),
        home="python",
    ),
    "fastapi-users": Contender(
        program="benchmarks.peers.fastapi_tokens", works=frozenset({"authenticate"}), home="python"
    ),
}
