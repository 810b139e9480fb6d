"""`transaction`: commit and rollback, retries, savepoints, and what the errors do not tell."""

import asyncio
import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator

import pytest
from sqlalchemy import Engine, func, orm, select, text
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from tests.integration.repositories.conftest import Account, Post, Work, create_tables

from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.errors import (
    DatabaseUnavailableError,
    ForeignKeyViolationError,
    PendingMigrationsError,
    PgAuthKitError,
    RepositoryError,
    RetryableError,
    UniqueViolationError,
)
from pgauthkit.models import User
from pgauthkit.repositories import AsyncRepository, AsyncUserRepository, Repository, UserRepository, transaction
from pgauthkit.testing import TestServer

SECRET = "secret@example.com"


@pytest.fixture
def shop_url(pgauthkit_server: TestServer) -> Iterator[str]:
    """A database in which things are committed."""
    with pgauthkit_server.database() as url:
        create_tables(url)
        yield url


@pytest.fixture
def shop(shop_url: str) -> Iterator[Engine]:
    engine = create_engine(shop_url)
    yield engine
    engine.dispose()


@pytest.fixture
def async_shop(shop_url: str, runner: asyncio.Runner) -> Iterator[AsyncEngine]:
    engine = create_async_engine(shop_url)
    yield engine
    runner.run(engine.dispose())


def count(engine: Engine) -> int:
    with transaction(engine) as db:
        return Repository(db, Account).count()


class Conflict:
    """A change by somebody else, so many times, right after the first read of a transaction."""

    def __init__(self, engine: Engine, times: int) -> None:
        self.engine = engine
        self.times = times
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self.times:
            with transaction(self.engine) as other:
                Repository(other, Account).update_many(Account.email == "a", age=Account.age + 10)


def older(db: orm.Session, conflict: Conflict, by: int) -> int:
    """Read, let somebody else write, and write."""
    accounts = Repository(db, Account)
    account = accounts.get(email="a")
    conflict()
    return accounts.update({"id": account.id}, age=account.age + by).age


async def older_async(db: AsyncSession, conflict: Conflict, by: int) -> int:
    """Do the same, awaited."""
    accounts = AsyncRepository(db, Account)
    account = await accounts.get(email="a")
    conflict()
    return (await accounts.update({"id": account.id}, age=account.age + by)).age


@pytest.fixture(params=["decorated", "run", "async decorated", "async run"])
def run_older(
    request: pytest.FixtureRequest, shop: Engine, async_shop: AsyncEngine, runner: asyncio.Runner
) -> Callable[[Conflict, int | None], int]:
    """Runs `older` in a retried transaction, in each way there is."""
    ways: dict[str, Callable[[Conflict, int | None], int]] = {
        "decorated": lambda conflict, retries: transaction(shop, retries=retries, isolation="REPEATABLE READ")(older)(
            conflict, by=1
        ),
        "run": lambda conflict, retries: transaction(shop, retries=retries, isolation="REPEATABLE READ").run(
            older, conflict, by=1
        ),
        "async decorated": lambda conflict, retries: runner.run(
            awaited(transaction(async_shop, retries=retries, isolation="REPEATABLE READ")(older_async)(conflict, by=1))
        ),
        "async run": lambda conflict, retries: runner.run(
            transaction(async_shop, retries=retries, isolation="REPEATABLE READ").run(older_async, conflict, by=1)
        ),
    }
    with transaction(shop) as db:
        Repository(db, Account).create(email="a")
    return ways[request.param]


async def awaited(awaitable: Awaitable[int]) -> int:
    return await awaitable


def test_the_whole_is_run_again(run_older: Callable[[Conflict, int | None], int], shop: Engine) -> None:
    """Where another transaction was in the way, it starts anew, and sees what the other wrote."""
    conflict = Conflict(shop, times=2)
    assert (run_older(conflict, None), conflict.calls) == (21, 3)


def test_so_many_times(run_older: Callable[[Conflict, int | None], int], shop: Engine) -> None:
    """After the retries, the error goes to the caller."""
    conflict = Conflict(shop, times=9)
    with pytest.raises(RetryableError):
        run_older(conflict, 1)
    assert conflict.calls == 2


def test_a_deadlock_is_retried(shop: Engine, runner: asyncio.Runner, async_shop: AsyncEngine) -> None:
    """So it is with a deadlock of a host's own statement, that is, with an error of SQLAlchemy."""
    with transaction(shop) as db:
        Repository(db, Account).create_many({"email": email} for email in "ab")
    both_hold = asyncio.Barrier(2)

    async def add(db: AsyncSession, *emails: str) -> None:
        for number, email in enumerate(emails):
            await db.execute(text("UPDATE accounts SET age = age + 1 WHERE email = :email"), {"email": email})
            if not number and not both_hold.broken and both_hold.n_waiting < 2 and email not in done:
                done.append(email)
                await both_hold.wait()

    done: list[str] = []

    async def race() -> None:
        add_both = transaction(async_shop, retries=3)(add)
        await asyncio.gather(add_both("a", "b"), add_both("b", "a"))

    runner.run(race())
    with transaction(shop) as db:
        assert [account.age for account in Repository(db, Account).find_many()] == [2, 2]


def test_commit_and_rollback(shop: Engine) -> None:
    """A block commits at its end, and rolls back when something is raised; objects stay readable."""
    with transaction(shop) as db:
        account = Repository(db, Account).create(email="a")
    assert (account.email, count(shop)) == ("a", 1)

    def fail() -> None:
        with transaction(shop) as db:
            Repository(db, Account).create(email="b")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(shop) == 1


def test_async_commit_and_rollback(shop: Engine, async_shop: AsyncEngine, runner: asyncio.Runner) -> None:
    """The same with `async with`; a savepoint undoes only itself."""

    async def write() -> str:
        async with transaction(async_shop) as db:
            account = await AsyncRepository(db, Account).create(email="a")
            with pytest.raises(UniqueViolationError):
                await write_twice(db)
            async with transaction(db) as same:
                assert same is db
        return account.email

    async def write_twice(db: AsyncSession) -> None:
        async with transaction(db):
            await AsyncRepository(db, Account).create(email="c")
            await AsyncRepository(db, Account).create(email="a")

    async def fail() -> None:
        async with transaction(async_shop) as db:
            await AsyncRepository(db, Account).create(email="b")
            _ = 1 / 0

    assert (runner.run(write()), count(shop)) == ("a", 1)
    with pytest.raises(ZeroDivisionError):
        runner.run(fail())
    assert count(shop) == 1


def test_savepoints(shop: Engine) -> None:
    """On a session it is a savepoint, as deep as one likes."""
    with transaction(shop) as db:
        accounts = Repository(db, Account)
        with transaction(db) as same:
            assert same is db
            accounts.create(email="a")
            with pytest.raises(UniqueViolationError), transaction(db):
                accounts.create_many({"email": email} for email in "ba")
        assert transaction(db).run(lambda db, age: Repository(db, Account).create(email="c", age=age), 3).age == 3
    assert count(shop) == 2


def test_a_savepoint_is_not_run_again(shop: Engine) -> None:
    """Only the whole transaction can see what another wrote."""
    with transaction(shop) as db:
        Repository(db, Account).create(email="a")
    conflict = Conflict(shop, times=9)
    with pytest.raises(RetryableError), transaction(shop, isolation="REPEATABLE READ") as db:
        transaction(db).run(older, conflict, by=1)
    assert conflict.calls == 1


def test_what_makes_no_sense(shop: Engine, async_shop: AsyncEngine, runner: asyncio.Runner) -> None:
    """Options that would have no effect are refused."""
    with pytest.raises(RepositoryError, match="A with block cannot be run again"):
        transaction(shop, retries=3).__enter__()
    with pytest.raises(RepositoryError, match="A with block cannot be run again"):
        runner.run(transaction(async_shop, retries=3).__aenter__())
    with orm.Session(shop) as db:
        for options in ({"retries": 3}, {"isolation": "SERIALIZABLE"}):
            with pytest.raises(RepositoryError, match="A savepoint has no retries and no isolation"):
                transaction(db, **options)
    with pytest.raises(RepositoryError, match="A savepoint"):
        transaction(AsyncSession(async_shop), retries=1)


def test_the_session_is_not_in_the_signature(shop: Engine, async_shop: AsyncEngine) -> None:
    """Web frameworks that look at a function do not see what is given by the decorator."""
    assert list(inspect.signature(transaction(shop)(older)).parameters) == ["conflict", "by"]
    assert list(inspect.signature(transaction(async_shop)(older_async)).parameters) == ["conflict", "by"]
    assert getattr(transaction(shop)(older), "__name__", None) == "older"


def test_an_error_at_the_commit(shop: Engine, async_shop: AsyncEngine, runner: asyncio.Runner) -> None:
    """What is checked only at the commit has the same errors."""
    deferred = text("ALTER TABLE posts ALTER CONSTRAINT posts_author_id_fkey DEFERRABLE INITIALLY DEFERRED")
    with transaction(shop) as db:
        db.execute(deferred)
    with pytest.raises(ForeignKeyViolationError) as error, transaction(shop) as db:
        Repository(db, Post).create(title="x", content="", author_id="nobody")
    assert (error.value.table, error.value.constraint) == ("posts", "posts_author_id_fkey")
    assert error.value.__context__ is error.value.__cause__ is None

    async def write() -> None:
        async with transaction(async_shop) as db:
            await AsyncRepository(db, Post).create(title="x", content="", author_id="nobody")

    with pytest.raises(ForeignKeyViolationError):
        runner.run(write())


def told(error: BaseException) -> str:
    """Return all that an error shows when it is printed, logged, or looked into."""
    formatted = "".join(traceback.format_exception(error))
    return " ".join([formatted, repr(error), str(error), repr(vars(error))])


def test_no_values_in_errors(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    """No value of the row hangs on an error: not in its text, nor in what it was raised from."""
    caplog.set_level(logging.DEBUG)
    accounts, users = work.of(Account), work.users
    accounts.create(email=SECRET)
    users.create(email=SECRET)
    writes: list[Callable[[], object]] = [
        lambda: accounts.create(email=SECRET),
        lambda: accounts.create(email=SECRET, age=-1),
        lambda: accounts.create_many([{"email": SECRET}]),
        lambda: accounts.update({"email": SECRET}, age=-1),
        lambda: users.upsert({"id": "other"}, create={"email": SECRET}, update={}),
        lambda: accounts.find_many(age=SECRET),
        lambda: accounts.create(email=SECRET + "\0"),
        lambda: work.of(Post).create(title=SECRET, content=SECRET, author_id=SECRET),
    ]
    for write in writes:
        with pytest.raises(PgAuthKitError) as error, work.savepoint():
            write()
        assert SECRET not in told(error.value)
        assert error.value.__context__ is error.value.__cause__ is None
    assert SECRET not in caplog.text


def test_the_session_does_not_quote_it_either(shop: Engine) -> None:
    """SQLAlchemy quotes what a flush failed of to whoever uses the session next: that has no values any more."""
    with orm.Session(shop) as db:
        accounts = Repository(db, Account)
        accounts.create(email=SECRET)
        with pytest.raises(UniqueViolationError):
            accounts.create(email=SECRET)
        with pytest.raises(PendingRollbackError) as raw:
            db.commit()
        assert SECRET not in told(raw.value)
        with pytest.raises(RepositoryError, match="The transaction has failed before: roll it back"):
            accounts.count()


def swallow(db: orm.Session, write: Callable[[Repository[Account]], object]) -> None:
    """Catch an error, and go on as if nothing had happened."""
    accounts = Repository(db, Account)
    accounts.create(email="a")
    with pytest.raises(RepositoryError):
        write(accounts)


@pytest.mark.parametrize(
    "write",
    [
        lambda accounts: accounts.create(email="a"),
        lambda accounts: accounts.create_many([{"email": "a"}]),
        lambda accounts: accounts.find_many(Account.age / 0 == 1),
    ],
)
def test_nothing_is_lost_in_silence(
    shop: Engine, async_shop: AsyncEngine, runner: asyncio.Runner, write: Callable[[Repository[Account]], object]
) -> None:
    """Where an error was caught inside, the end of a block raises, since its commit would be a rollback."""

    def in_a_savepoint(db: orm.Session) -> None:
        Repository(db, Account).create(email="b")
        with pytest.raises(RepositoryError, match="The transaction has failed before"):
            transaction(db).run(swallow, write)

    async def swallow_async(db: AsyncSession) -> None:
        await db.run_sync(swallow, write)

    with pytest.raises(RepositoryError, match="The transaction has failed before: roll it back"):
        transaction(shop).run(swallow, write)
    with pytest.raises(RepositoryError, match="The transaction has failed before: roll it back"):
        runner.run(transaction(async_shop)(swallow_async)())
    assert count(shop) == 0
    transaction(shop).run(in_a_savepoint)
    assert count(shop) == 1


def test_a_connection_that_broke(shop: Engine) -> None:
    """What is lost with its connection is not taken for committed, though the error was caught."""

    def break_it(db: orm.Session) -> None:
        Repository(db, Account).create(email="a")
        pid = db.scalar(select(func.pg_backend_pid()))
        with shop.connect() as other:
            other.execute(select(func.pg_terminate_backend(pid, 5000)))
        with pytest.raises(DatabaseUnavailableError):
            Repository(db, Account).count()

    with pytest.raises(RepositoryError, match="The transaction has failed before"):
        transaction(shop, retries=0).run(break_it)
    assert count(shop) == 0


def test_a_block_that_is_run_again(shop: Engine, async_shop: AsyncEngine, runner: asyncio.Runner) -> None:
    """`for attempt in transaction(…)` runs its block until nobody is in the way, and then no more."""
    with transaction(shop) as db:
        Repository(db, Account).create(email="a")
    conflict = Conflict(shop, times=2)
    for attempt in transaction(shop, isolation="REPEATABLE READ"):
        with attempt as db:
            older(db, conflict, 1)
    assert conflict.calls == 3

    async def run_again(conflict: Conflict, retries: int) -> None:
        async for attempt in transaction(async_shop, retries=retries, isolation="REPEATABLE READ"):
            async with attempt as db:
                await older_async(db, conflict, 1)

    conflict = Conflict(shop, times=1)
    runner.run(run_again(conflict, 1))
    assert conflict.calls == 2
    conflict = Conflict(shop, times=9)
    with pytest.raises(RetryableError):
        runner.run(run_again(conflict, 2))
    assert conflict.calls == 3
    with transaction(shop) as db:
        assert Repository(db, Account).get(email="a").age == 10 * (2 + 1 + 3) + 2


@pytest.fixture
def skewed(shop: Engine) -> Engine:
    """A table in which two serializable transactions conflict, which the server notices at the second one's commit."""
    with transaction(shop) as db:
        Repository(db, Account).create_many({"email": email} for email in "ab")
    return shop


class Skew:
    """Counts and writes, and lets another count, write and commit, so many times."""

    def __init__(self, engine: Engine, times: int) -> None:
        self.engine = engine
        self.left = times
        self.calls = 0

    def __call__(self, db: orm.Session, email: str = "a") -> None:
        accounts = Repository(db, Account)
        total = accounts.aggregate(total=func.sum(Account.age)).total
        self.calls += 1
        accounts.update_many(Account.email == email, age=total + 1)
        if self.left:
            self.left -= 1
            other = Skew(self.engine, 0)
            transaction(self.engine, isolation="SERIALIZABLE").run(other, "b")


def test_a_conflict_at_the_commit(skewed: Engine, async_shop: AsyncEngine, runner: asyncio.Runner) -> None:
    """It is run again as well, and raised when it was the last attempt."""
    skew = Skew(skewed, 1)
    transaction(skewed, isolation="SERIALIZABLE").run(skew)
    assert skew.calls == 2

    async def run(db: AsyncSession, skew: Skew) -> None:
        await db.run_sync(skew)

    skew = Skew(skewed, 1)
    runner.run(transaction(async_shop, isolation="SERIALIZABLE")(run)(skew))
    assert skew.calls == 2
    with pytest.raises(RetryableError):
        transaction(skewed, isolation="SERIALIZABLE", retries=0).run(Skew(skewed, 1))
    with pytest.raises(RetryableError):
        runner.run(transaction(async_shop, isolation="SERIALIZABLE", retries=0)(run)(Skew(skewed, 1)))


def test_a_coroutine_function_on_a_synchronous_engine(shop: Engine) -> None:
    """It would run after the commit, on a session that is closed: it is refused when it is decorated."""
    with pytest.raises(RepositoryError, match="A coroutine function needs an async engine"):
        transaction(shop)(older_async)  # type: ignore[arg-type]  # the mistake


def test_restrict_violations_of_postgresql_18(shop: Engine) -> None:
    """ON DELETE RESTRICT has a SQLSTATE of its own there, and the same error."""
    raised = text("DO $$ BEGIN RAISE restrict_violation USING TABLE = 'posts', CONSTRAINT = 'c'; END $$")
    with pytest.raises(ForeignKeyViolationError) as error, transaction(shop) as db:
        db.execute(raised)
    assert (error.value.table, error.value.constraint) == ("posts", "c")


def test_an_aborted_transaction(shop: Engine) -> None:
    """After an error of the server the transaction is aborted, and says so."""
    with orm.Session(shop) as db:
        users = UserRepository(db)
        users.create(email="a@example.com")
        with pytest.raises(UniqueViolationError):
            users.upsert({"id": "other"}, create={"email": "a@example.com"}, update={})
        with pytest.raises(RepositoryError, match="The transaction has failed before: roll it back"):
            users.count()


def test_a_table_that_is_not_there(pgauthkit_server: TestServer) -> None:
    """The host is told to migrate its table; for ours there is a command."""
    with pgauthkit_server.database(migrated=False) as url:
        engine = create_engine(url)
        with (
            pytest.raises(RepositoryError, match="The database lacks accounts, or a column of it"),
            transaction(engine) as db,
        ):
            Repository(db, Account).count()
        with pytest.raises(PendingMigrationsError), transaction(engine) as db:
            UserRepository(db).count()
        engine.dispose()


def test_a_database_that_cannot_be_reached(runner: asyncio.Runner) -> None:
    """It is the same error as the service's, also from a bare transaction."""
    url = "postgresql://ada@127.0.0.1:1/nowhere"
    with pytest.raises(DatabaseUnavailableError), transaction(create_engine(url)) as db:
        Repository(db, Account).count()
    with pytest.raises(DatabaseUnavailableError), transaction(create_engine(url)) as db:
        db.scalar(func.now())

    async def find() -> User | None:
        async with transaction(create_async_engine(url)) as db:
            return await AsyncUserRepository(db).find_by_email("a@example.com")

    with pytest.raises(DatabaseUnavailableError):
        runner.run(find())


def test_a_pool_without_a_connection_left(shop_url: str) -> None:
    """The hint is about the pool."""
    engine = create_engine(shop_url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with (
        engine.connect(),
        pytest.raises(DatabaseUnavailableError, match="Every connection of the pool is in use"),
        transaction(engine) as db,
    ):
        Repository(db, Account).count()
    engine.dispose()
