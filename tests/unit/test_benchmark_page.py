"""The benchmark's own judgement: ratios, what falls short, and contenders that fail."""

import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks import goals, targets
from benchmarks.entrants import CONTENDERS
from benchmarks.page import write
from benchmarks.process import Ended, Process
from benchmarks.results import Results
from benchmarks.targets import Wanted

WANTED = Wanted(work="include", mine=("pgauthkit, engine",), base="Prisma tuned", bound=2, tables="shared")
EVERY = [*targets.REPOSITORIES, *targets.AUTHENTICATE, *targets.SIGN_IN, *targets.AGAINST_PEERS]


def block(contender: str, number: int, operations: int, cpu: float = 10) -> dict[str, Any]:
    return {
        "kind": "block",
        "row": "include",
        "work": "include",
        "clients": 1,
        "tables": "shared",
        "contender": contender,
        "round": number,
        "operations": operations,
        "seconds": 1,
        "p50_us": 1e6 / operations,
        "p99_us": 2e6 / operations,
        "cpu_us": cpu,
    }


def race(*mine: int) -> list[dict[str, Any]]:
    ours = [block("pgauthkit, engine", number, operations) for number, operations in enumerate(mine)]
    return [*ours, *(block("Prisma tuned", number, 100 * (number + 1), 25) for number in range(len(mine)))]


@pytest.mark.parametrize(
    ("mine", "middle", "verdict"),
    [((200, 400, 900), 2, "met"), ((190, 380, 900), 1.9, "**falls short**"), ((), None, "not measured")],
)
def test_a_bound(mine: tuple[int, ...], middle: float | None, verdict: str) -> None:
    """A ratio is taken within each round, and the median of them is compared with the bound."""
    [goal] = goals.raced(race(*mine), [WANTED])
    assert (goal.found and goal.found.middle, goal.verdict) == (middle, verdict)


def test_the_better_of_two() -> None:
    """Of two ways of ours the better one counts, with its own processor time; an upper bound is met by less."""
    lines = [*race(200, 400), *(block("pgauthkit, session", number, 50, 100) for number in range(2))]
    both = Wanted(
        work="include", mine=("pgauthkit, session", "pgauthkit, engine"), base="Prisma tuned", bound=0.6,
        tables="shared", figure="p50_us",
    )  # fmt: skip
    [goal] = goals.raced(lines, [both])
    assert goal.found
    assert goal.processor
    assert (goal.found.middle, goal.processor.middle, goal.verdict) == (0.5, 0.4, "met")


@pytest.mark.parametrize("wanted", EVERY, ids=lambda wanted: wanted.what)
def test_that_everybody_can_do_it(wanted: Wanted) -> None:
    """Who is compared takes part in that work, on those tables."""
    for name in (*wanted.mine, wanted.base):
        assert wanted.work in CONTENDERS[name].works
        assert not wanted.tables or wanted.tables in CONTENDERS[name].tables


def test_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    """The page lists what falls short first, and has a line for a contender that failed."""
    failed = {**block("Django", 0, 1), "kind": "failed", "why": "no `tables` | here"}
    write([*race(190, 380), failed], keep=False)
    page = capsys.readouterr().out
    assert "Of 1 bounds that were measured 0 are met." in page
    assert "- `include`, pgauthkit, engine, 1 at once, against Prisma tuned: 1.90x for 2.00x." in page
    assert "| Django | 1 | shared | failed: no tables  here | - | - | - |" in page


def test_a_row_that_is_measured_again(tmp_path: Path) -> None:
    """A row is kept in place of itself, and the others stay."""
    results = Results(tmp_path / "results")
    for row, number in (("one", 1), ("two", 2), ("one", 3)):
        results.keep(row, [{"number": number}])
    assert results.read(("one", "two", "three")) == [{"number": 3}, {"number": 2}]
    results.clear()
    assert results.read(("one",)) == []


def test_a_contender_that_fails(tmp_path: Path) -> None:
    """A process that ends where it was to answer is reported by its last error."""
    code = "import sys; sys.stderr.write('postgresql://me:secret@host\\nNameError: no such name\\nat line 3\\n')"
    with Process([sys.executable, "-I", "-S", "-c", code], tmp_path, {}) as process:
        with pytest.raises(Ended, match=r"^NameError: no such name$"):
            process.wait()
        with pytest.raises(Ended, match="NameError"):
            process.block(1)
