"""Failovers under load: what was acknowledged, what an outage lasts, and what calls say meanwhile."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from tests.cluster.cluster import CALL_TIMEOUT
from tests.cluster.events import EVENTS, Outcome

Find: TypeAlias = Callable[[str, bool], Outcome]

RATIO = 1.2
LATEST = 2.0  # seconds: milliseconds on a machine that has nothing else to do
# What asking the server to stop may take on top: `CANCEL_WITHIN` in pgauthkit/database/deadline.py.
CANCELLING = 0.5
EVERY = [
    pytest.param((event, synchronous), id=f"{event}-{'synchronous' if synchronous else 'asynchronous'}")
    for synchronous in (False, True)
    for event in EVENTS
]


@pytest.fixture(params=EVERY)
def outcome(request: pytest.FixtureRequest, outcome_of: Find) -> Outcome:
    """Each event, with and without synchronous replication."""
    event, synchronous = request.param
    return outcome_of(event, synchronous)


def test_the_load_went_on(outcome: Outcome) -> None:
    """By every route, and with both twins, people signed in, refreshed and signed out before and after."""
    for part in outcome.parts:
        for book in part.books:
            assert book.signed_in
            assert book.live
            assert book.calls["refresh"] > 4
        assert any(book.ended for book in part.books)


def test_what_was_acknowledged_is_there(outcome: Outcome) -> None:
    """No sign-in, refresh or sign-out is lost, no link used twice and no session forked.

    But those that asynchronous replication loses: the last before the failover, which no standby had, and those of an
    old primary that woke up, to which a URL with several hosts still leads.
    """
    for part in outcome.parts:
        lost = [one for one in part.broken if one not in part.forgivable]
        assert lost == [], (part.route, part.twin)


def test_what_may_be_lost_is_little(outcome: Outcome) -> None:
    """Only what was acknowledged in the last moment before the event may be lost: what came before, a standby had."""
    assert outcome.unsure < LATEST + 2 * outcome.stall


def test_nobody_is_taken_for_a_thief(outcome: Outcome) -> None:
    """No session was ended as stolen, though every refresh without an answer was repeated."""
    assert [book.stolen for part in outcome.parts for book in part.books if book.stolen] == []


def test_errors_are_those_of_an_outage(outcome: Outcome) -> None:
    """A call without a primary raises `DatabaseUnavailableError`, and nothing else."""
    assert [book.foreign for part in outcome.parts for book in part.books if book.foreign] == []


def test_a_call_ends_in_its_time(outcome: Outcome) -> None:
    """No call takes longer than `call_timeout`, though the server may be frozen and the pooler have nobody."""
    for part in outcome.parts:
        assert part.longest < CALL_TIMEOUT + CANCELLING + 0.5 + 2 * outcome.stall, (part.route, part.twin)


def test_an_outage_is_that_of_the_cluster(outcome: Outcome) -> None:
    """From the last answer to the next takes little longer than until there is a server that takes writes."""
    for part in outcome.parts:
        assert part.outage < RATIO * outcome.new_primary + 2 * outcome.stall, (part.route, part.twin)
