"""What is measured: who takes part, in which work, and how often."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

__all__ = ["CONTENDERS", "WORKS", "Contender", "Heat", "Size", "heats"]

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parent / "build"
PEERS_PYTHON: Final = BUILD / "peers" / "bin" / "python"
PEERS_NODE: Final = BUILD / "peers-node"

WORKS: Final = {
    "authenticate": "access token to user",
    "find_email": "user by e-mail address",
    "list_sessions": "live sessions of a user",
    "include": "100 users, each with its sessions",
    "request_link": "store a new magic link",
    "verify_link": "use a link once, open a session",
    "refresh": "the next pair of tokens",
    "create_many": "many users in one call",
}
BATCHES: Final = frozenset({"create_many"})
ONE_BY_ONE: Final = frozenset(WORKS) - BATCHES


@attrs.frozen(kw_only=True)
class Contender:
    """Somebody who takes part.

    Attributes:
        program: the module, or the script of Node.
        variant: which of its ways.
        works: what it can do.
        home: `here`, or whose environment it needs: `python` or `node`.
        warm_up: the seconds of work after which it is warm.
    """

    program: str
    variant: str = ""
    works: frozenset[str]
    home: str = "here"
    warm_up: float = 0.5

    def command(self) -> list[str]:
        """Return how it is started; empty where its environment is not installed."""
        if self.home == "node":
            node = shutil.which("node")
            return [node, str(PEERS_NODE / self.program)] if node and (PEERS_NODE / "ready").exists() else []
        python = PEERS_PYTHON if self.home == "python" else BUILD.parent / ".venv" / "bin" / "python"
        return [str(python), "-m", self.program] if python.exists() else []


_SERVICE, _DRIVER = "benchmarks.contenders.service", "benchmarks.contenders.driver"
_ALL = frozenset(WORKS)
_PRISMA = _ALL - {"list_sessions"}

CONTENDERS: Final = {
    "pgauthkit": Contender(program=_SERVICE, works=_ALL),
    "pgauthkit async": Contender(program=f"{_SERVICE}_async", works=ONE_BY_ONE),
    "pgauthkit, repository": Contender(program=_SERVICE, variant="repository", works=frozenset({"find_email"})),
    "SQLAlchemy, selectinload": Contender(program=_SERVICE, variant="sqlalchemy", works=frozenset({"include"})),
    "psycopg": Contender(program=_DRIVER, works=_ALL),
    "psycopg async": Contender(program=f"{_DRIVER}_async", works=ONE_BY_ONE),
    "psycopg, our statement": Contender(program=_DRIVER, variant="ours", works=frozenset({"authenticate"})),
    "psycopg, several statements": Contender(program=_DRIVER, variant="several", works=frozenset({"verify_link"})),
    "pgbench": Contender(program="benchmarks.contenders.server", works=frozenset({"authenticate"})),
    "Prisma tuned": Contender(program="prisma.mjs", variant="tuned", works=_PRISMA, home="node", warm_up=4),
    "Prisma": Contender(program="prisma.mjs", works=_PRISMA, home="node", warm_up=4),
    "better-auth": Contender(program="better_auth.mjs", works=_PRISMA, home="node", warm_up=4),
    "advanced-alchemy": Contender(program="benchmarks.peers.advanced", works=_PRISMA, home="python"),
    "Django": Contender(
        program="benchmarks.peers.django_sessions",
        works=frozenset({"authenticate", "find_email", "refresh", "create_many"}),
        home="python",
    ),
    "fastapi-users": Contender(
        program="benchmarks.peers.fastapi_tokens", works=frozenset({"authenticate"}), home="python"
    ),
}
OURS: Final = tuple(name for name, contender in CONTENDERS.items() if contender.home == "here")


@attrs.frozen(kw_only=True)
class Size:
    """How much of it all.

    Attributes:
        sessions: in each of the databases, the smallest first.
        main: the database that everybody works in.
        rounds: blocks of each contender in a heat.
        batches: the same for a work load of one large operation.
        seconds: the length of a block.
        warm_up: the share of the warm-up that there is time for.
        clients: how many at once, one after the other.
        socket: the works that are also done over the Unix socket.
        eight: the works that are also done by 8 clients at once.
        rows: how many rows the costs are measured with.
    """

    sessions: tuple[int, ...]
    main: int
    rounds: int
    batches: int
    seconds: float
    warm_up: float
    socket: tuple[str, ...]
    eight: tuple[str, ...]
    rows: int


QUICK: Final = Size(
    sessions=(10_000,),
    main=10_000,
    rounds=3,
    batches=1,
    seconds=0.1,
    warm_up=0.2,
    socket=("authenticate",),
    eight=("authenticate",),
    rows=20_000,
)
USUAL: Final = Size(
    sessions=(10_000, 100_000, 1_000_000),
    main=100_000,
    rounds=15,
    batches=5,
    seconds=0.4,
    warm_up=1,
    socket=tuple(WORKS),
    eight=tuple(ONE_BY_ONE),
    rows=1_000_000,
)
FULL: Final = attrs.evolve(USUAL, sessions=(*USUAL.sessions, 10_000_000))


@attrs.frozen(kw_only=True)
class Heat:
    """Some contenders at the same work, block by block in turns.

    Attributes:
        work: of `WORKS`.
        clients: how many at once in each process.
        transport: `tcp` or `socket`.
        entries: names of contenders, each with the number of sessions in its database.
    """

    work: str
    clients: int
    transport: str
    entries: tuple[tuple[str, int], ...]


def heats(size: Size, transport: str) -> Iterator[Heat]:
    """Yield the heats over a transport: everybody over TCP, and ourselves over the socket."""
    names = tuple(CONTENDERS) if transport == "tcp" else OURS
    for work in WORKS if transport == "tcp" else size.socket:
        entries = tuple((name, size.main) for name in names if work in CONTENDERS[name].works)
        yield Heat(work=work, clients=1, transport=transport, entries=entries)
        if work in size.eight:
            yield Heat(work=work, clients=8, transport=transport, entries=entries)
    if transport == "socket" and len(size.sessions) > 1:
        for work in ("authenticate", "refresh", "verify_link"):
            every = tuple(("pgauthkit", sessions) for sessions in size.sessions)
            yield Heat(work=work, clients=1, transport=transport, entries=every)
