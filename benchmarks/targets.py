"""What is to be reached, and whether it was."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from benchmarks.figures import Blocks, Spread
from benchmarks.plan import CONTENDERS

__all__ = ["Goal", "limits", "peers"]

Line = dict[str, Any]

PEERS: Final = ("Prisma tuned", "Prisma", "better-auth", "advanced-alchemy", "Django", "fastapi-users")
REST: Final = PEERS[1:]
ORMS: Final = ("Prisma tuned", "Prisma", "advanced-alchemy", "Django")

# How many times as fast as whom, by work and by how many at once.
WANTED: Final[tuple[tuple[str, int, tuple[str, ...], float], ...]] = (
    ("authenticate", 1, ("Prisma tuned",), 2),
    ("authenticate", 1, REST, 4),
    ("authenticate", 8, ("Prisma tuned",), 1),
    ("authenticate", 8, REST, 3),
    ("verify_link", 1, ("Prisma tuned",), 3),
    ("verify_link", 1, ("better-auth", "advanced-alchemy"), 6),
    ("verify_link", 8, ("Prisma tuned",), 3),
    ("verify_link", 8, REST, 6),
    ("refresh", 1, ("Prisma tuned",), 1.5),
    ("refresh", 1, REST, 3),
    ("refresh", 8, ("Prisma tuned",), 1.2),
    ("refresh", 8, REST, 3),
    ("find_email", 1, ("Prisma tuned",), 1.2),
    ("include", 1, PEERS, 1.5),
    ("include", 8, PEERS, 1.5),
    ("create_many", 1, ORMS, 4),
)


@attrs.frozen(kw_only=True)
class Goal:
    """One thing to reach.

    Attributes:
        what: said in words.
        wanted: the bound.
        at_least: whether it is a lower bound.
        found: what came out; None where it was not measured.
        unit: behind the numbers.
    """

    what: str
    wanted: float
    at_least: bool = False
    found: Spread | None
    unit: str = "x"

    @property
    def verdict(self) -> str:
        """Whether it was reached."""
        if self.found is None:
            return "not measured"
        reached = self.found.middle >= self.wanted if self.at_least else self.found.middle <= self.wanted
        return "met" if reached else "**falls short**"


def limits(lines: list[Line]) -> Iterator[Goal]:
    """Yield what is to be reached against the driver, the server and memory."""
    blocks = Blocks([line for line in lines if line["kind"] == "block"])
    for transport in ("socket", "tcp"):
        where = f"1 client, {'Unix socket' if transport == 'socket' else 'TCP'}"
        at = blocks.where(transport=transport, clients=1)
        for work, bound in (("authenticate", 1.7), ("verify_link", 1.3), ("refresh", 1.3)):
            yield _slower(at, work, "", bound, where)
        yield _slower(at, "authenticate", " async", 1.8, where)
        yield _slower(at, "include", "", 2.5, where)
        yield _slower(at, "create_many", "", 1.5, where)
        verify = at.where(work="verify_link")
        several = verify.where(contender="psycopg, several statements")
        found = several.faster(verify.where(contender="pgauthkit"))
        yield Goal(what=f"verify_link, against several statements, {where}", wanted=1.5, at_least=True, found=found)
    yield from _sizes(blocks)
    yield from _costs(lines)


def _slower(at: Blocks, work: str, twin: str, bound: float, where: str) -> Goal:
    here = at.where(work=work)
    base = here.where(contender=f"psycopg{twin}")
    mine = here.where(contender=f"pgauthkit{twin}", sessions=base.lines[0]["sessions"]) if base.lines else base
    against = {"authenticate": "the least statement", "include": "two raw queries", "create_many": "COPY"}
    what = f"{work}{twin}, against {against.get(work, 'the same statement')} on psycopg, {where}"
    return Goal(what=what, wanted=bound, found=base.slower(mine))


def _sizes(blocks: Blocks) -> Iterator[Goal]:
    at = blocks.where(transport="socket", clients=1, contender="pgauthkit", work="authenticate")
    sizes = sorted({line["sessions"] for line in at.lines})
    if len(sizes) > 1:
        found = at.where(sessions=sizes[0]).slower(at.where(sessions=sizes[-1]))
        yield Goal(what=f"authenticate at {sizes[-1]:,} sessions against {sizes[0]:,}", wanted=1.3, found=found)


def _costs(lines: list[Line]) -> Iterator[Goal]:
    for line in lines:
        if line["kind"] == "memory":
            more = line["peak_mb"] - line["idle_mb"]
            verb = "reading" if line["what"] == "read" else "writing"
            what = f"peak memory {verb} {line['rows']:,} rows, above idle"
            yield Goal(what=what, wanted=60, found=Spread.of([more]), unit=" MB")
        if line["kind"] == "import" and line["what"] == "package":
            what = "import pgauthkit, against importing what it stands on"
            yield Goal(what=what, wanted=1.2, found=Spread.of(line["ratios"]))


def peers(lines: list[Line]) -> Iterator[Goal]:
    """Yield what is to be reached against other libraries; with 8 clients by the better of threads and tasks."""
    blocks = Blocks([line for line in lines if line["kind"] == "block" and line["transport"] == "tcp"])
    for work, clients, names, bound in WANTED:
        at = blocks.where(work=work, clients=clients)
        mine = _best(at, clients)
        for name in names:
            if work in CONTENDERS[name].works:
                what = f"{work}, {clients} at once, against {name}"
                found = at.where(contender=name).faster(mine)
                yield Goal(what=what, wanted=bound, at_least=True, found=found)


def _best(at: Blocks, clients: int) -> Blocks:
    ways = [at.where(contender=name) for name in ("pgauthkit", "pgauthkit async")[: 2 if clients > 1 else 1]]
    rate: Callable[[Blocks], float] = lambda way: way.rate().middle  # noqa: E731 - a key for max
    return max((way for way in ways if way.lines), key=rate, default=Blocks([]))
