"""Many threads on one key."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Engine
from tests.integration.repositories.conftest import Account, create_tables

from pgauthkit.database import create_engine
from pgauthkit.repositories import Repository, transaction
from pgauthkit.testing import TestServer

THREADS, ROUNDS = 16, 200


@pytest.fixture
def crowd(pgauthkit_server: TestServer) -> Iterator[Engine]:
    """A database in which things are committed, with a connection for each thread."""
    with pgauthkit_server.database() as url:
        create_tables(url)
        engine = create_engine(url, pool_size=THREADS)
        yield engine
        engine.dispose()


@pytest.mark.parametrize("key", ["number", "email"])
def test_sixteen_threads_upsert_one_key(crowd: Engine, key: str) -> None:
    """Nobody gets an error, there is one row, and no write is lost; by a plain key and by a partial one."""
    start = Barrier(THREADS)

    def upsert(thread: int) -> list[int]:
        start.wait()
        ages = []
        for _ in range(ROUNDS // THREADS + 1):
            with transaction(crowd) as db:
                # The other unique column has a value that nobody else has: only one key can be the arbiter.
                values = {"number": str(thread), "email": str(thread), key: "1"}
                create = {**values, "age": 1}
                account = Repository(db, Account).upsert(
                    {key: values[key]}, create=create, update={"age": Account.age + 1}
                )
                ages.append(account.age)
        return ages

    with ThreadPoolExecutor(THREADS) as pool:
        ages = [age for found in pool.map(upsert, range(THREADS)) for age in found]
    assert sorted(ages) == list(range(1, len(ages) + 1))
    with transaction(crowd) as db:
        accounts = Repository(db, Account)
        assert (accounts.count(with_deleted=True), max(row.age for row in accounts.find_many())) == (1, len(ages))


def test_the_last_write_wins(crowd: Engine) -> None:
    """Each of sixteen threads upserts its own value 200 times; the row has the value of whoever was last."""
    start, order = Barrier(THREADS), list[int]()

    def upsert(thread: int) -> None:
        start.wait()
        for number in range(ROUNDS):
            with transaction(crowd) as db:
                value = thread * ROUNDS + number
                create = {"email": str(thread), "age": value}
                Repository(db, Account).upsert({"number": "1"}, create=create, update={"age": value})
                order.append(value)  # under the row's lock: the order of the writes

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(upsert, range(THREADS))) == [None] * THREADS
    with transaction(crowd) as db:
        accounts = Repository(db, Account)
        assert (accounts.count(with_deleted=True), accounts.get(number="1").age) == (1, order[-1])
    assert len(order) == THREADS * ROUNDS
