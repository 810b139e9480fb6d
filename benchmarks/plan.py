"""What is measured: which work, on which tables, by how many at once, and how often."""

from collections.abc import Iterator
from typing import Final

import attrs

from benchmarks.entrants import CONTENDERS, OWN, SHARED

__all__ = [
    "BATCHES",
    "FULL",
    "GROUPS",
    "QUICK",
    "RECORDS",
    "ROWS",
    "USUAL",
    "WORKS",
    "Entry",
    "Heat",
    "Size",
    "heats",
    "sizes",
]

SIGN_IN: Final = {
    "authenticate": "access token to user",
    "verify_link": "use a link once, open a session",
    "refresh": "the next pair of tokens",
    "request_link": "store a new magic link",
    "list_sessions": "live sessions of a user",
}
MEMORY: Final = {
    "cached": "access token to user, 200 sessions that come back",
    "cached_async": "access token to user, awaited, 200 sessions that come back",
    "missed": "access token to user, where the cache never has it",
    "arrivals": "access token to user, awaited, asked at random times",
}
RECORDS: Final = {
    "find_unique": "a user by e-mail address",
    "find_many": "100 users in the order of their ids",
    "include": "100 users, each with its sessions",
    "create": "one magic link",
    "update": "a user by e-mail address: two columns",
    "upsert": "a user by e-mail address, who is there",
    "page": "the next 100 users after a cursor",
    "find_many_10000": "10,000 users in one list",
    "create_many": "20,000 users in one call",
}
WORKS: Final = {**SIGN_IN, **MEMORY, **RECORDS}
AWAITED: Final = frozenset({"cached_async", "arrivals"})
LONG: Final = AWAITED | {"cached"}
BATCHES: Final = frozenset({"create_many"})
ALONE: Final = frozenset({"find_many_10000", "create_many"})
# What no race is: each measured by programs of its own.
SINGLE: Final = ("costs", "session_bytes", "entry_bytes", "sizes")
ROWS: Final = (*WORKS, *SINGLE)
GROUPS: Final = {
    "sign-in": tuple(SIGN_IN),
    "cache": (*MEMORY, "entry_bytes"),
    "repositories": tuple(RECORDS),
    "large": ("sizes", "session_bytes"),
}


@attrs.frozen(kw_only=True)
class Size:
    """How much of it all.

    Attributes:
        main: the sessions of the database that everybody works in.
        sizes: the sessions of the databases that are compared with each other, the smallest first.
        rounds: blocks of each contender in a heat.
        batches: the same where a block is long: of one large operation, or of a second.
        seconds: the length of a block.
        warm_up: the most seconds that a process of Node may take to get warm; others get a tenth of it.
        few: the works that are done by one client only.
        rows: how many rows the costs are measured with.
        bytes_rows: how many sessions their bytes are measured with.
    """

    main: int
    sizes: tuple[int, ...]
    rounds: int
    batches: int
    seconds: float
    warm_up: float
    few: frozenset[str]
    rows: int
    bytes_rows: int


QUICK: Final = Size(
    main=20_000,
    sizes=(10_000, 20_000),
    rounds=3,
    batches=1,
    seconds=0.05,
    warm_up=0.5,
    few=frozenset(WORKS) - {"authenticate", "include"},
    rows=20_000,
    bytes_rows=20_000,
)
USUAL: Final = Size(
    main=100_000,
    sizes=(10_000, 1_000_000),
    rounds=7,
    batches=5,
    seconds=0.1,
    warm_up=4,
    few=frozenset({"request_link", "list_sessions"}),
    rows=200_000,
    bytes_rows=200_000,
)
FULL: Final = attrs.evolve(
    USUAL,
    sizes=(10_000, 1_000_000, 10_000_000),
    rounds=15,
    batches=5,
    seconds=0.4,
    warm_up=10,
    few=frozenset(),
    rows=1_000_000,
    bytes_rows=1_000_000,
)


@attrs.frozen
class Entry:
    """A contender, and the sessions in the database that it works in."""

    name: str
    sessions: int


@attrs.frozen(kw_only=True)
class Heat:
    """Some contenders at the same work, block by block in turns.

    Attributes:
        row: what it belongs to on the page, and in the results: of `ROWS`.
        work: of `WORKS`.
        clients: how many at once in each process.
        tables: `shared` or `own` for a repository's work; else empty.
        entries: who.
        seconds: of a block, where it is not the usual length.
    """

    row: str
    work: str
    clients: int
    tables: str = ""
    entries: tuple[Entry, ...]
    seconds: float | None = None


def heats(size: Size, row: str) -> Iterator[Heat]:
    """Yield the heats of a work: everybody who can do it, on each of its tables, by one client and by several."""
    for clients in _clients(size, row):
        for tables in (SHARED, OWN) if row in RECORDS else ("",):
            yield Heat(
                row=row,
                work=row,
                clients=clients,
                tables=tables,
                entries=tuple(
                    Entry(name, size.main)
                    for name, contender in CONTENDERS.items()
                    if row in contender.works and (not tables or tables in contender.tables)
                ),
                # Long enough for answers to become too old in it, and be asked for again.
                seconds=max(size.seconds, 1.0) if row in LONG else None,
            )


def _clients(size: Size, row: str) -> tuple[int, ...]:
    if row in AWAITED:
        return (8,)
    return (1,) if row in ALONE | size.few else (1, 8)


def sizes(size: Size) -> Iterator[Heat]:
    """Yield the heats of the same work by ourselves in databases of several sizes."""
    entries = tuple(Entry("pgauthkit", sessions) for sessions in size.sizes)
    for work in ("authenticate", "list_sessions", "refresh"):
        yield Heat(row="sizes", work=work, clients=1, entries=entries)
