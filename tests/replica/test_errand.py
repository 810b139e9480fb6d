"""What is done beside the calls: by one at a time, and what was asked for meanwhile is done too."""

from collections.abc import Callable

from pgauthkit.database.deadline import time_left
from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.service.replicas.errand import LOST, Errand

Work = Callable[[], None]


def test_not_more_often_than_so_often() -> None:
    """It is started at once, and again when its time has passed."""
    started: list[Work] = []
    errand = Errand(lambda: None, 5.0, started.append)
    for now in (1.0, 1.0, 5.9):
        errand.ask(now)
    assert len(started) == 1
    started[0]()
    errand.ask(5.9)
    assert len(started) == 1
    errand.ask(6.0)
    assert len(started) == 2


def test_what_is_asked_for_meanwhile() -> None:
    """One run at a time; who asks meanwhile has it run once more, after which it can be started again."""
    started: list[Work] = []
    runs: list[float | None] = []

    def work() -> None:
        runs.append(time_left())
        if len(runs) == 1:
            errand.ask(2.0)
            errand.ask(2.0)

    errand = Errand(work, 0.0, started.append)
    errand.ask(1.0)
    started[0]()
    assert (len(started), len(runs)) == (1, 2)
    assert all(left is not None and left <= 2.0 for left in runs)
    errand.ask(2.0)
    assert len(started) == 2


def test_a_run_that_is_lost() -> None:
    """A run of which nothing is heard, as where its event loop has ended, is not waited for."""
    started: list[Work] = []
    errand = Errand(lambda: None, 0.0, started.append)
    errand.ask(1.0)
    errand.ask(1.0 + LOST)
    assert len(started) == 2


def test_a_failure() -> None:
    """Where a server does not answer, the next call asks again."""

    def fail() -> None:
        raise DatabaseUnavailableError("It is away.")

    started: list[Work] = []
    errand = Errand(fail, 0.0, started.append)
    for number in (1, 2):
        errand.ask(float(number))
        started[-1]()
        assert len(started) == number


def test_no_thread() -> None:
    """Where nothing can be started beside the call, the call goes on, and the next one tries again."""
    started: list[Work] = []

    def refuse(work: Work) -> None:
        started.append(work)
        raise RuntimeError("can't start new thread")

    errand = Errand(lambda: None, 0.0, refuse)
    errand.ask(1.0)
    errand.ask(1.0)
    assert len(started) == 2
