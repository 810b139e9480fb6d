"""What is known of positions: which replica has seen enough for a call, and as of when."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from pgauthkit.service.replicas.positions import Positions, Replayed, Written

AT: Final = datetime(2030, 1, 1, tzinfo=UTC)
ONE, OTHER = AT, AT + timedelta(days=1)


def written(begun: float, position: int, timeline: int = 1) -> Written:
    return Written(begun, AT + timedelta(seconds=begun), position, position, timeline)


@pytest.fixture
def positions() -> Positions:
    """A primary that wrote 10 bytes a second, and may be believed for 4 s."""
    positions = Positions(4.0)
    for second in range(6):
        positions.note_written(written(100.0 + second, 1000 + 10 * second))
    return positions


@pytest.mark.parametrize(
    ("replayed", "begun", "as_of"),
    [
        (1050, 105.0, 105.0),
        (1049, 105.0, 104.0),
        (1010, 105.0, 101.0),
        (1009, 105.0, None),
        (9999, 105.5, 105.0),
        (1030, 107.0, 103.0),
        (1030, 107.001, None),
        (1050, 109.0, 105.0),
        (1050, 109.001, None),
    ],
)
def test_the_newest_that_was_replayed(positions: Positions, replayed: int, begun: float, as_of: float | None) -> None:
    """An answer is as of the newest position that is replayed, and none where that is older than the bound."""
    positions.note_replayed(ONE, Replayed(105.0, replayed, 1))
    assert [seen.begun for seen in positions.seen(begun).values()] == ([] if as_of is None else [as_of])


def test_a_replica_that_was_asked_before_the_primary(positions: Positions) -> None:
    """What a replica had replayed, it has: a newer position of the primary makes it older and no less true."""
    positions.note_replayed(ONE, Replayed(105.0, 1050, 1))
    positions.note_written(written(106.0, 1051))
    assert positions.seen(106.0)[ONE].begun == 105.0
    assert positions.latest == written(106.0, 1051)


def test_another_timeline(positions: Positions) -> None:
    """A replica that is further on another timeline has not seen what was written on this one."""
    positions.note_written(written(106.0, 1020, timeline=2))
    positions.note_replayed(ONE, Replayed(106.0, 2000, 1))
    assert positions.seen(106.0)[ONE].begun == 105.0
    positions.note_replayed(ONE, Replayed(106.0, 1020, 2))
    assert positions.seen(106.0)[ONE].begun == 106.0


def test_several(positions: Positions) -> None:
    """Of several replicas each has seen what it has, and one that is not heard of any more is forgotten."""
    positions.note_replayed(ONE, Replayed(104.0, 1020, 1))
    positions.note_replayed(OTHER, Replayed(105.0, 1050, 1))
    assert {server: seen.begun for server, seen in positions.seen(105.0).items()} == {ONE: 102.0, OTHER: 105.0}
    positions.note_replayed(OTHER, Replayed(108.5, 1050, 1))
    assert set(positions.seen(0.0)) == {OTHER}


def test_forgotten(positions: Positions) -> None:
    """A replica that did not answer is not asked; the primary's positions stay."""
    positions.note_replayed(ONE, Replayed(105.0, 1050, 1))
    positions.forget_replicas()
    assert positions.seen(105.0) == {}
    positions.note_replayed(ONE, Replayed(105.0, 1050, 1))
    assert positions.seen(105.0) != {}
    positions.clear()
    assert (positions.seen(105.0), positions.latest) == ({}, None)
