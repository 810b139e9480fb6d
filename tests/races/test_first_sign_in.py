"""The first sign-in of an address makes one account, however many links of it are used at once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pgauthkit.errors import TokenExpiredError
from pgauthkit.values import IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from tests.races.conftest import Call, Held, Host, Query

EACH_LEVEL = pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
RACERS = 16


def verify(link: IssuedMagicLink) -> "Call[SignIn]":
    return lambda auth: auth.verify_magic_link(link.token.reveal())


def one_account(outcomes: Sequence[object]) -> int:
    """Return how many were signed in, as one user whom one of them made; the others' links were over."""
    signed_in = [outcome for outcome in outcomes if isinstance(outcome, SignIn)]
    assert {SignIn, TokenExpiredError} >= set(map(type, outcomes))
    assert len({outcome.user.user_id for outcome in signed_in}) == 1
    assert sum(outcome.created for outcome in signed_in) == 1
    return len(signed_in)


@EACH_LEVEL
def test_one_account_of_16_links(host: "Host", rounds: int, query: "Query") -> None:
    """Of 16 links of a new address, used at once, some sign in, one makes the account, and the others are over."""
    sign_ins = 0
    for number in range(rounds // 10):
        links = [host.auth.request_magic_link(f"ada{number}@example.com") for _ in range(RACERS)]
        sign_ins += one_account(host.race([verify(link) for link in links]))
    assert [(rounds // 10,)] == query("SELECT count(*) FROM pgauthkit.users")
    assert [(sign_ins,)] == query("SELECT count(*) FROM pgauthkit.sessions")


@EACH_LEVEL
def test_one_account_where_all_found_none(host: "Host", held: "Held", query: "Query") -> None:
    """Also when all 16 are certain to have found no account, since each waits to see whether another is made."""
    links = [host.auth.request_magic_link("ada@example.com") for _ in range(RACERS)]
    with held("INSERT INTO pgauthkit.users (id, email) VALUES ('somebody', 'ada@example.com')") as wait_for:
        started = host.start([verify(link) for link in links])
        wait_for(RACERS)
    sign_ins = one_account(host.outcomes(started))
    assert [(1, sign_ins)] == query(
        "SELECT (SELECT count(*) FROM pgauthkit.users), (SELECT count(*) FROM pgauthkit.sessions)"
    )
