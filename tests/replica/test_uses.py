"""Uses of sessions, gathered: what is due, and how many statements it takes."""

from collections.abc import Sequence

import pytest

from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.service.memory.marks import elapsed
from pgauthkit.service.replicas import uses
from pgauthkit.service.replicas.uses import Use, Uses


def use(number: int) -> Use:
    return f"session {number}", bytes([number % 256])


def test_due_until_it_was_seen() -> None:
    """What waits or was written is due again only by an answer that has seen it."""
    sent: list[Sequence[Use]] = []
    gathered = Uses(sent.append, 60.0)
    assert gathered.is_due(use(1), elapsed())
    gathered.add(use(1))
    assert not gathered.is_due(use(1), elapsed())
    before = elapsed()
    gathered.send()
    assert sent == [[use(1)]]
    assert not gathered.is_due(use(1), before)
    assert gathered.is_due(use(1), elapsed())
    gathered.send()
    assert sent == [[use(1)]]


def test_what_was_written_is_forgotten() -> None:
    """What every answer has seen by now takes no memory."""
    gathered = Uses(lambda _: None, -1.0)
    gathered.write([use(1)])
    assert gathered._written == {}


def test_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many go out in few statements, and what is too much is left to later calls."""
    sent: list[int] = []
    monkeypatch.setattr(uses, "MOST", 1100)
    gathered = Uses(lambda some: sent.append(len(some)), 60.0)
    for number in range(1200):
        gathered.add(use(number))
    gathered.send()
    assert sent == [500, 500, 100]


def test_a_failure() -> None:
    """What could not be written is due again."""

    def fail(_: Sequence[Use]) -> None:
        raise DatabaseUnavailableError("It is away.")

    gathered = Uses(fail, 60.0)
    gathered.add(use(1))
    with pytest.raises(DatabaseUnavailableError):
        gathered.send()
    assert gathered.is_due(use(1), 0.0)
    gathered.add(use(2))
    gathered.clear()
    gathered.send()
