"""Random histories of up to eight people at once, sync, async and in the host's transactions, at each level."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.races.conftest import Tasks, Threads
from tests.races.histories.checking import RULES, History
from tests.races.histories.playing import World

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from tests.races.conftest import Query

PEOPLE = 8
FIRST = ("request", "verify", "request", "request_bound", "request_handoff", "invite", "ask_to_move", "open")


@pytest.fixture
def services(
    pgauthkit_url: str, config: AuthConfig, pool: ThreadPoolExecutor, loop: "AbstractEventLoop"
) -> Iterator[tuple[AuthService, AuthService]]:
    """The sync service and the async one, on one database."""
    with ExitStack() as hosts:
        made = Threads(pgauthkit_url, config, pool), Tasks(pgauthkit_url, config, loop)
        for host in made:
            hosts.callback(host.close)
        yield made[0].auth, made[1].auth


@pytest.fixture
def world(pgauthkit_url: str, services: tuple[AuthService, AuthService]) -> Iterator[World]:
    """Three addresses, and an engine of the host's own for its transactions."""
    engine = create_engine(pgauthkit_url, pool_size=PEOPLE)
    yield World(services, engine, [f"{name}@example.com" for name in ("ada", "eve", "kim")])
    engine.dispose()


def play(world: World, seed: str, pool: ThreadPoolExecutor) -> None:
    """Let everybody have something to begin with, and go."""
    random = Random(seed)
    for move in FIRST:
        world.do(move, random, how=0)

    def person(number: int) -> None:
        own = Random(f"{seed}/{number}")
        for _ in range(own.randint(2, 6)):
            world.play(own)

    list(pool.map(person, range(random.randint(4, PEOPLE))))


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
@pytest.mark.torture(10, 1000)
def test_nothing_forbidden_comes_of_it(
    world: World, pool: ThreadPoolExecutor, query: "Query", isolation: str, torture_round: int
) -> None:
    """Whatever people do at once: a link is one session, what has ended stays so, and nobody learns otherwise."""
    play(world, f"{isolation} {torture_round}", pool)
    history = History(
        world.log,
        used={link for (link,) in query("SELECT id FROM pgauthkit.magic_links WHERE used_at IS NOT NULL")},
        sessions={session for (session,) in query("SELECT id FROM pgauthkit.sessions")},
        admins={email for (email,) in query("SELECT email FROM pgauthkit.users WHERE role = 'ADMIN'")},
    )
    assert {rule.__name__: list(found) for rule in RULES if (found := rule(history))} == {}
