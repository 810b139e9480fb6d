"""What is kept of authenticated sessions: age, size, key, and the marks that void it."""

import gc
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

import pytest

from pgauthkit.service.memory import marks
from pgauthkit.service.memory.kept import Kept
from pgauthkit.service.memory.marks import EVERYBODY, MARKS, MOST, Marks, elapsed
from pgauthkit.session_cache import SessionCache
from pgauthkit.values import Identity, UserRole

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
SELECTOR: Final = b"the selector's hash"


def identity(number: int = 0, ttl: timedelta = HOUR) -> Identity:
    # Texts and times are new objects each, as they are when they come from the server.
    return Identity(
        user_id=f"c{number:024d}",
        email=f"user{number}@example.com",
        role=UserRole.USER,
        session_id=f"d{number:024d}",
        authenticated_at=NOW - timedelta(seconds=number),
        expires_at=NOW + ttl + timedelta(seconds=number),
        asked_at=NOW + timedelta(microseconds=number),
    )


def kept(staleness: timedelta = HOUR, size: int = 10) -> Kept:
    return Kept(SessionCache(staleness, size), None)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """Forget what other tests of this process have ended: these here begin some answers in the past."""
    MARKS.clear()
    MARKS._floor = 0.0


@pytest.fixture
def own() -> Marks:
    """Marks that no other test has put."""
    own = Marks()
    own.keep_for(HOUR.total_seconds())
    return own


def test_age_counts_from_before_the_statement() -> None:
    """An answer is given until it is as old as it may be, and then no more, whenever it came."""
    answers = kept(timedelta(minutes=1))
    begun = elapsed()
    answers.put(answers.key("young"), SELECTOR, begun - 30, identity())
    answers.put(answers.key("old"), SELECTOR, begun - 60, identity())
    assert answers.find(answers.key("young")) == identity()
    assert answers.find(answers.key("old")) is None


def test_it_ends_with_the_token() -> None:
    """What the database said of its end holds, by the time that has passed here since."""
    answers = kept()
    begun = elapsed()
    good, ended = (identity(ttl=timedelta(seconds=seconds)) for seconds in (60, 30))
    answers.put(answers.key("good"), SELECTOR, begun - 30, good)
    answers.put(answers.key("ended"), SELECTOR, begun - 30, ended)
    assert answers.find(answers.key("good")) == good
    assert answers.find(answers.key("ended")) is None


def test_it_is_as_of_now() -> None:
    """`asked_at` goes on with the time, so that a sign-in does not stay fresh in memory."""
    answers = kept()
    answers.put(answers.key("token"), SELECTOR, elapsed() - 30, identity())
    found = answers.find(answers.key("token"))
    assert found
    assert found.asked_at >= NOW + timedelta(seconds=30)


def test_size() -> None:
    """However many good tokens come, so many are kept, and the oldest answer goes first."""
    answers = kept(size=10)
    for number in range(100):
        answers.put(answers.key(str(number)), SELECTOR, elapsed(), identity(number))
    assert len(answers) == 10
    assert [number for number in range(100) if answers.find(answers.key(str(number)))] == list(range(90, 100))


def test_asked_again() -> None:
    """What is asked again takes the place of what was kept before, and is the youngest."""
    answers = kept(size=2)
    for token in ("one", "two", "one", "three"):
        answers.put(answers.key(token), SELECTOR, elapsed(), identity())
    assert [bool(answers.find(answers.key(token))) for token in ("one", "two", "three")] == [True, False, True]


def test_what_is_too_old_is_dropped() -> None:
    """Answers that nobody may be given any more take no memory for long."""
    answers = kept(timedelta(minutes=1))
    answers.put(answers.key("old"), SELECTOR, elapsed() - 61, identity())
    answers.put(answers.key("new"), SELECTOR, elapsed(), identity())
    assert len(answers) == 1


def test_memory() -> None:
    """One takes less than 800 bytes, also after a flood of good tokens, which makes no more than may be kept."""
    many = 10_000
    answers = kept(size=many)

    def taken(numbers: range) -> float:
        for number in numbers:
            answers.put(answers.key(f"token {number}"), b"%032d" % number, elapsed(), identity(number))
        return tracemalloc.get_traced_memory()[0] / many

    gc.collect()
    tracemalloc.start()
    try:
        assert taken(range(many)) < 800
        assert taken(range(many, 3 * many)) < 800
    finally:
        tracemalloc.stop()
    assert len(answers) == many


def test_the_garbage_collector_passes_over_them() -> None:
    """However many answers are kept, a full collection has none of them to traverse, and comes no sooner for them."""
    answers = kept()
    answers.put(answers.key("token"), SELECTOR, elapsed(), identity())
    gc.collect()
    assert not any(gc.is_tracked(answer) for answer in answers._order)


def test_the_key_is_of_its_own() -> None:
    """A token is found by a hash under a key that no other cache has, and stands nowhere itself."""
    one, other = kept(), kept()
    for answers in (one, other):
        answers.put(answers.key("the token"), SELECTOR, elapsed(), identity())
    assert set(one._answers).isdisjoint(other._answers)
    assert "the token" not in repr(one._answers)


@pytest.mark.parametrize("rubbish", [None, b"token", 7, "x" * 201, "\ud800", ""])
def test_rubbish(rubbish: object) -> None:
    """What is no token is not there."""
    answers = kept()
    answers.put(answers.key("token"), SELECTOR, elapsed(), identity())
    assert answers.find(answers.key(rubbish)) is None


@pytest.mark.parametrize("name", [SELECTOR, identity().user_id, EVERYBODY])
def test_a_mark_voids_what_was_begun_before(own: Marks, name: object) -> None:
    """What was asked before a mark is void, and what is asked after it is not; so are the marks of others."""
    before = elapsed()
    assert not own.void(before, SELECTOR, identity().user_id)
    own.put("somebody else", name)
    assert own.void(before, SELECTOR, identity().user_id)
    assert not own.void(elapsed(), SELECTOR, identity().user_id)


def test_a_mark_is_renewed(own: Marks) -> None:
    """What is ended twice is marked by the second time."""
    own.put(SELECTOR)
    between = elapsed()
    own.put(SELECTOR)
    assert own.void(between, SELECTOR, "nobody")


def test_marks_are_bounded(own: Marks) -> None:
    """However much is ended, marks take a bounded memory; what the dropped ones voided stays void."""
    begun = elapsed()
    own.put(SELECTOR)
    assert not own.void(begun, b"another", "nobody")
    own.put(*range(MOST))
    assert len(own._at) == MOST
    assert own.void(begun, SELECTOR, "nobody")
    assert not own.void(elapsed(), SELECTOR, "nobody")


def test_marks_are_dropped_in_time(own: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark is kept for as long as something may be kept that was asked before it."""
    times = count(elapsed(), HOUR.total_seconds() / 2)
    monkeypatch.setattr(marks, "elapsed", lambda: next(times))
    for name in range(9):
        own.put(name)
    assert 0 < len(own._at) < 4


def test_nothing_is_marked_for_nobody() -> None:
    """Where nothing is kept, nothing is marked."""
    unused = Marks()
    unused.put(SELECTOR)
    assert not unused._at
