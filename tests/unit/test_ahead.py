"""Work done ahead, in another thread."""

import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from pgauthkit.repositories.generic.ahead import ahead

HERE: ContextVar[str] = ContextVar("HERE", default="nowhere")


def test_in_order() -> None:
    """What is made comes in the order of the items."""
    assert list(ahead(range(100), str)) == [str(number) for number in range(100)]
    assert list(ahead([], str)) == []


def test_one_ahead() -> None:
    """While the caller has one, the next is in the making, and no more than that is taken."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    seen = [(made, len(taken)) for made in ahead(items(), str)]
    assert seen == [("0", 2), ("1", 3), ("2", 4), ("3", 5), ("4", 5)]


def test_while_the_caller_works() -> None:
    """The next is made before the caller asks for it."""
    made = threading.Event()
    for item in ahead([1, 2], lambda item: made.set() if item == 2 else None):
        assert made.wait(60)
        del item


def test_threads() -> None:
    """The first is made by the caller itself, the others by one other thread, which ends with them."""
    before = set(threading.enumerate())
    me, *others = ahead(range(4), lambda _: threading.get_ident())
    assert me == threading.get_ident()
    assert len(set(others)) == 1
    assert me not in others
    assert set(threading.enumerate()) <= before  # those of other tests may have ended


def test_context_variables() -> None:
    """Who makes sees the context variables of the caller."""
    HERE.set("here")
    assert set(ahead(range(3), lambda _: HERE.get())) == {"here"}


def test_errors_come_in_their_turn() -> None:
    """What cannot be made is told after everything before it; the thread is gone then."""
    before, found = set(threading.enumerate()), list[float]()
    with pytest.raises(ZeroDivisionError):
        found += ahead([1, 2, 0, 4], lambda number: 1 / number)
    made = ahead([1, 2, 0, 4], lambda number: 1 / number)
    assert [next(made), next(made)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(made)
    assert set(threading.enumerate()) <= before  # those of other tests may have ended


def test_left_early() -> None:
    """A caller that goes away leaves no thread behind."""
    before = set(threading.enumerate())
    made = ahead(range(5), str)
    next(made)
    made.close()
    assert set(threading.enumerate()) <= before  # those of other tests may have ended
