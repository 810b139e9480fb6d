"""What is to be reached by a race: who against whom, in which figure."""

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from benchmarks.entrants import OWN, SHARED

__all__ = ["AGAINST_PEERS", "AUTHENTICATE", "REPOSITORIES", "SIGN_IN", "Wanted"]


@attrs.frozen(kw_only=True)
class Wanted:
    """One thing to reach.

    Attributes:
        work: of the plan.
        mine: the contenders of ours; the better one is taken.
        base: whom they are measured against.
        bound: of the ratio.
        clients: how many at once.
        tables: of a repository's work.
        figure: `rate`, of which there must be at least so much; or `p50_us`, `p99_us`, `cpu_us`, `peak_mb`: at most.
    """

    work: str
    mine: tuple[str, ...]
    base: str
    bound: float
    clients: int = 1
    tables: str = ""
    figure: str = "rate"

    @property
    def what(self) -> str:
        """Say it."""
        told = {"rate": "", "p50_us": ": latency", "cpu_us": ": processor time", "peak_mb": ": peak memory"}
        figure = told.get(self.figure, ": latency, 99th percentile")
        tables = ", own tables" if self.tables == OWN else ""
        return f"`{self.work}`{tables}, {' or '.join(self.mine)}, {self.clients} at once, against {self.base}{figure}"


def _pair(work: str, mine: str, base: str, bounds: tuple[float, float], tables: str = SHARED) -> Iterator[Wanted]:
    """Yield the same with 1 and with 8 at once."""
    for clients, bound in zip((1, 8), bounds, strict=True):
        yield Wanted(work=work, mine=(mine,), base=base, bound=bound, clients=clients, tables=tables)


def _repositories() -> Iterator[Wanted]:
    engine, session, awaited = "pgauthkit, engine", "pgauthkit, session", "pgauthkit async, engine"
    before, before_async, prisma = "before, repository", "before async, repository", "Prisma tuned"
    for work, then, peer in (
        ("find_unique", (4, 5), (2, 1.2)),
        ("include", (6, 6), (2, 2)),
        ("create", (3, 3), (1.5, 2)),
        ("update", (3, 3), (1.5, 2)),
    ):
        yield from _pair(work, engine, before, then)
        yield from _pair(work, engine, prisma, peer)
    for work in ("find_unique", "include"):
        yield from _pair(work, session, before, (2, 2))
        yield from _pair(work, session, prisma, (1, 1))
    for work in ("find_unique", "include", "create", "update"):
        least = 5 if work == "include" else 3
        yield from _pair(work, awaited, before_async, (least, least))
        yield from _pair(work, awaited, prisma, (1.5, 1))
    many = Wanted(work="find_many_10000", mine=(engine,), base=before, tables=SHARED, bound=2)
    yield many
    yield attrs.evolve(many, bound=0.6, figure="peak_mb")
    for tables in (SHARED, OWN):
        yield Wanted(work="include", mine=(engine,), base="psycopg, rows", bound=1.3, figure="p50_us", tables=tables)
    yield Wanted(work="create_many", mine=(engine,), base="psycopg, rows", bound=1.6, figure="p50_us", tables=OWN)


def _authenticate() -> Iterator[Wanted]:
    awaited, before = ("pgauthkit async",), "before async"
    yield Wanted(work="authenticate", mine=awaited, base="psycopg async", bound=1.35, figure="p50_us")
    yield Wanted(work="authenticate", mine=awaited, base=before, bound=3, clients=8)
    for figure in ("p50_us", "p99_us"):
        yield Wanted(
            work="arrivals",
            mine=("pgauthkit async, no cache",),
            base="before async, no cache",
            bound=1,
            clients=8,
            figure=figure,
        )
    cached, before = ("pgauthkit, cache",), "before, no cache"
    for clients in (1, 8):
        yield Wanted(work="cached", mine=cached, base=before, bound=80, clients=clients)
    yield Wanted(
        work="cached_async", mine=("pgauthkit async, cache",), base="before async, no cache", bound=80, clients=8
    )
    yield Wanted(work="cached", mine=cached, base=before, bound=1 / 60, figure="cpu_us")
    for clients in (1, 8):
        yield Wanted(work="missed", mine=cached, base="pgauthkit, no cache", bound=0.95, clients=clients)
    for work in ("authenticate", "refresh", "verify_link"):
        for clients in (1, 8):
            yield Wanted(work=work, mine=("pgauthkit",), base="before", bound=1, clients=clients)


def _sign_in() -> Iterator[Wanted]:
    for work, bound in (("authenticate", 1.7), ("verify_link", 1.3), ("refresh", 1.3)):
        yield Wanted(work=work, mine=("pgauthkit",), base="psycopg", bound=bound, figure="p50_us")
    yield Wanted(work="verify_link", mine=("pgauthkit",), base="psycopg, several statements", bound=1.5)


_REST: Final = ("Prisma", "better-auth", "advanced-alchemy", "Django", "fastapi-users")


def _against_peers() -> Iterator[Wanted]:
    """With 8 at once by the better of threads and tasks."""
    ours = {1: ("pgauthkit",), 8: ("pgauthkit", "pgauthkit async")}
    for work, clients, names, bound in (
        ("authenticate", 1, ("Prisma tuned",), 2),
        ("authenticate", 1, _REST, 4),
        ("authenticate", 8, ("Prisma tuned",), 1),
        ("authenticate", 8, _REST, 3),
        ("verify_link", 1, ("Prisma tuned",), 3),
        ("verify_link", 1, _REST[1:3], 6),
        ("verify_link", 8, ("Prisma tuned",), 3),
        ("verify_link", 8, _REST[:3], 6),
        ("refresh", 1, ("Prisma tuned",), 1.5),
        ("refresh", 1, _REST[:4], 3),
        ("refresh", 8, ("Prisma tuned",), 1.2),
        ("refresh", 8, _REST[:4], 3),
    ):
        for name in names:
            yield Wanted(work=work, mine=ours[clients], base=name, bound=bound, clients=clients)
    for clients in (1, 8):
        for name in ("Prisma", "better-auth", "advanced-alchemy"):
            yield Wanted(
                work="include", mine=("pgauthkit, engine",), base=name, bound=1.5, clients=clients, tables=SHARED
            )
    for name in ("Prisma tuned", "advanced-alchemy", "Django"):
        yield Wanted(work="create_many", mine=("pgauthkit, engine",), base=name, bound=4, tables=SHARED)


REPOSITORIES: Final[Iterable[Wanted]] = tuple(_repositories())
AUTHENTICATE: Final[Iterable[Wanted]] = tuple(_authenticate())
SIGN_IN: Final[Iterable[Wanted]] = tuple(_sign_in())
AGAINST_PEERS: Final[Iterable[Wanted]] = tuple(_against_peers())
