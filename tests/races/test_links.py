"""A link signs in once, however many use it at the same moment."""

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pgauthkit.errors import TokenAlreadyUsedError, TokenExpiredError
from pgauthkit.values import IssuedMagicLink, MagicLinkPreview, SignIn

if TYPE_CHECKING:
    from tests.races.conftest import Call, Held, Host, Query

RACERS = 32
HOLD_LINK = "SELECT FROM pgauthkit.magic_links WHERE id = %(id)s FOR UPDATE"

EACH_LEVEL = pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])


def verify(link: IssuedMagicLink) -> "Call[SignIn]":
    return lambda auth: auth.verify_magic_link(link.token.reveal())


@EACH_LEVEL
def test_a_link_signs_in_once(host: "Host", rounds: int, query: "Query") -> None:
    """Of 32 who use one link at once, one is signed in and 31 learn that it was used; nothing else is raised."""
    outcomes: Counter[type] = Counter()
    for number in range(rounds):
        link = host.auth.request_magic_link(f"ada{number}@example.com")
        outcomes.update(map(type, host.race([verify(link)] * RACERS)))
    assert {SignIn: rounds, TokenAlreadyUsedError: rounds * (RACERS - 1)} == outcomes
    assert [(rounds,)] == query("SELECT count(*) FROM pgauthkit.users")
    assert [(rounds, rounds)] == query("SELECT count(*), count(DISTINCT user_id) FROM pgauthkit.sessions")


@EACH_LEVEL
def test_the_level_is_that_of_the_database(isolation: str, query: "Query", host: "Host") -> None:
    """The races of this folder run at the isolation level that they say, also in autocommit."""
    host.auth.request_magic_link("ada@example.com")
    assert [(isolation,)] == query("SELECT current_setting('transaction_isolation')")


@EACH_LEVEL
def test_a_queue_at_one_link_signs_in_once(host: "Host", held: "Held", query: "Query") -> None:
    """Also when all 32 are certain to have found the link unused, since they stand in the queue for its lock."""
    link = host.auth.request_magic_link("ada@example.com")
    with held(HOLD_LINK, id=link.id) as wait_for:
        started = host.start([verify(link)] * RACERS)
        wait_for(RACERS)
    assert {SignIn: 1, TokenAlreadyUsedError: RACERS - 1} == Counter(map(type, host.outcomes(started)))
    assert query("SELECT count(*) FROM pgauthkit.sessions") == [(1,)]


@EACH_LEVEL
def test_a_link_and_its_code_sign_in_once_between_them(host: "Host", held: "Held", query: "Query") -> None:
    """A link and its code are one: of 4 who use the code while 12 use the link, one in all is signed in."""
    link = host.auth.request_magic_link("ada@example.com")
    code = (link.code or link.token).reveal()
    with held(HOLD_LINK, id=link.id) as wait_for:
        started = host.start([*[lambda auth: auth.verify_code(link.id, code)] * 4, *[verify(link)] * 12])
        wait_for(16)
    assert {SignIn: 1, TokenAlreadyUsedError: 15} == Counter(map(type, host.outcomes(started)))
    assert query("SELECT count(*) FROM pgauthkit.sessions") == [(1,)]


@EACH_LEVEL
def test_looking_never_waits_or_consumes(host: "Host", held: "Held") -> None:
    """16 mail scanners look at a link, while somebody holds it, and none of them is kept waiting or uses it up."""
    link = host.auth.request_magic_link("ada@example.com")
    with held(HOLD_LINK, id=link.id):
        outcomes = host.race([lambda auth: auth.peek_magic_link(link.token.reveal())] * 16)
    assert {MagicLinkPreview: 16} == Counter(map(type, outcomes))
    assert host.auth.verify_magic_link(link.token.reveal()).created


@EACH_LEVEL
def test_two_links_of_one_address(host: "Host", rounds: int, query: "Query") -> None:
    """Two links of an address, used at once: one or both sign in, and a third is over afterwards."""
    for number in range(rounds // 10):
        email = f"ada{number}@example.com"
        first, second, third = (host.auth.request_magic_link(email) for _ in range(3))
        outcomes = Counter(map(type, host.race([verify(first), verify(second)] * 4)))
        one, both = {SignIn: 1, TokenExpiredError: 4, TokenAlreadyUsedError: 3}, {SignIn: 2, TokenAlreadyUsedError: 6}
        assert outcomes in (one, both)
        with pytest.raises(TokenExpiredError):
            host.auth.verify_magic_link(third.token.reveal())
    assert [(rounds // 10,)] == query("SELECT count(*) FROM pgauthkit.users")
