"""Rows that are asked for in one turn of the event loop: one statement, in which nobody harms another."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import BigInteger, Dialect, Engine, String, Text, TypeDecorator, event, orm, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.integration.repositories.conftest import Account, Post, Product, Tag, Team, engine_work

from pgauthkit.database import create_async_engine
from pgauthkit.errors import (
    DatabaseUnavailableError,
    NotAUniqueKeyError,
    NotFoundError,
    RepositoryError,
)
from pgauthkit.repositories import AsyncRepository, AsyncUserRepository, Repository

M = TypeVar("M")
T = TypeVar("T")
Statements = Callable[[], list[str]]
Work = Callable[[AsyncEngine], Coroutine[Any, Any, T]]
Run = Callable[..., Any]
PATIENCE: Final = 60.0  # seconds, before a test that hangs fails
READER: ContextVar[str] = ContextVar("reader", default="nobody")
WAITING: Final = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Base(DeclarativeBase): ...


class Whispered(TypeDecorator[str]):
    """Text that is read with the name of its reader."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> str:  # noqa: ANN401, ARG002 - SQLAlchemy's
        return f"{value} to {READER.get()}"


class Thing(Base):
    """Keys of several types."""

    __tablename__ = "things"
    __table_args__ = {"schema": "together"}  # noqa: RUF012 - SQLAlchemy's

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    large: Mapped[int] = mapped_column(BigInteger, unique=True)
    code: Mapped[str] = mapped_column(String(4), unique=True)
    sorted: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    price: Mapped[float] = mapped_column(unique=True)
    secret: Mapped[str] = mapped_column(Whispered)


class Animal(Base):
    __tablename__ = "zoo"
    __table_args__ = {"schema": "together"}  # noqa: RUF012 - SQLAlchemy's
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012 - the same

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class Cat(Animal):
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012 - the same


def thing(number: int) -> dict[str, Any]:
    return {
        "id": UUID(int=number),
        "number": number,
        "large": 2**40 + number,
        "code": f"c{number}",
        "sorted": f"s{number}",
        "price": number / 10,
        "secret": f"secret {number}",
    }


@pytest.fixture(scope="module", autouse=True)
def things(blog_engine: Engine) -> Iterator[None]:
    """Ten things, numbered from 0."""
    with blog_engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA together"))
        Base.metadata.create_all(connection)
    Repository(blog_engine, Thing).create_many([thing(number) for number in range(10)])
    yield
    with blog_engine.begin() as connection:
        connection.execute(text("DROP SCHEMA together CASCADE"))


@pytest.fixture
def db(blog_engine: Engine) -> Iterator[orm.Session]:
    """A session in autocommit beside the repositories, after which no row is left."""
    with engine_work(blog_engine) as work:
        yield work.db


@pytest.fixture
def statements(caplog: pytest.LogCaptureFixture) -> Statements:
    """Returns the statements that were logged since it was asked last."""
    caplog.set_level(logging.INFO, "pgauthkit.queries")

    def taken() -> list[str]:
        found = [vars(record)["statement"] for record in caplog.records if "statement" in vars(record)]
        caplog.clear()
        return found

    return taken


@pytest.fixture
def run(blog_url: str) -> Run:
    """Runs something with an async engine, in an event loop of its own."""

    def run(work: Work[T], **options: Any) -> T:  # noqa: ANN401 - an engine's
        async def main() -> T:
            engine = create_async_engine(blog_url, query_log=True, **options)
            try:
                return await work(engine)
            finally:
                await engine.dispose()

        return asyncio.run(main())

    return run


async def outcomes(calls: list[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Have every read of the things wait; gives a connection that may look and kill meanwhile."""
    plain = url.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(plain) as blocking:
        await blocking.execute("LOCK TABLE together.things")
        async with await psycopg.AsyncConnection.connect(plain, autocommit=True) as looking:
            yield looking


async def waiting(looking: psycopg.AsyncConnection[Any], count: int = 1) -> list[int]:
    """Wait until so many statements wait for the table; return their processes."""
    async with asyncio.timeout(PATIENCE):
        while len(found := await (await looking.execute(WAITING)).fetchall()) != count:  # noqa: ASYNC110 - of the server
            await asyncio.sleep(0.01)
    return [pid for (pid,) in found]


KEYS = ["id", "number", "large", "code"]


@pytest.mark.parametrize("name", KEYS)
def test_one_statement(name: str, run: Run, statements: Statements) -> None:
    """Calls of one turn are one statement, in which each finds its own row, or none."""
    numbers = [3, 1, 99, 4]

    async def work(engine: AsyncEngine) -> list[Any]:
        return await outcomes([AsyncRepository(engine, Thing).find_unique(**{name: thing(n)[name]}) for n in numbers])

    found = run(work)
    assert [one and one.number for one in found] == [3, 1, None, 4]
    assert len(statements()) == 1


def test_one_after_the_other(run: Run, statements: Statements) -> None:
    """Nothing is kept: each is a statement, and what changed in between counts."""

    async def work(engine: AsyncEngine) -> None:
        tags = AsyncRepository(engine, Tag)
        made = await tags.create(name="one")
        assert (await tags.get(id=made.id)).name == "one"
        await tags.update({"id": made.id}, name="two")
        assert (await tags.get(id=made.id)).name == "two"
        await tags.delete({"id": made.id})
        assert await tags.find_unique(id=made.id) is None

    run(work)
    assert len(statements()) == 6


def test_alone_beside_other_work(run: Run, statements: Statements) -> None:
    """Whatever else runs in a turn, a call that is alone in it sends what it ever sends."""

    async def work(engine: AsyncEngine) -> str:
        things = AsyncRepository(engine, Thing)
        await things.get(number=1)
        asyncio.get_running_loop().call_soon(lambda: None)
        return (await things.get(number=2)).code

    assert run(work) == "c2"
    first, second = statements()
    assert first == second


def test_more_than_one_statement_takes(run: Run, statements: Statements) -> None:
    """Up to 64 rows are asked for by a statement."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        return await outcomes([things.get(number=number % 10) for number in range(150)])

    assert [one.number for one in run(work)] == [number % 10 for number in range(150)]
    assert len(statements()) == 3


def test_an_object_for_each(run: Run) -> None:
    """Two who ask for the same row have two objects: what one changes is not the other's."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        return await outcomes([things.get(number=1), things.get(number=1)])

    one, other = run(work)
    assert one is not other
    one.code = "mine"
    assert (other.code, other.number) == ("c1", 1)
    assert orm.object_session(one) is None


def test_what_is_of_one_kind(run: Run, statements: Statements) -> None:
    """Other keys, other models, with what is deleted, and with relations: each kind is a statement."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things, accounts = AsyncRepository(engine, Thing), AsyncRepository(engine, Account)
        calls: list[Awaitable[Any]] = [things.find_unique(number=1), things.find_unique(code="c2")]
        calls += [accounts.find_unique(id="x"), accounts.find_unique(id="x", with_deleted=True)]
        calls += [accounts.find_unique(id="x", include=["comments"])]
        return await outcomes([*calls, *[things.find_unique(number=n) for n in (3, 4)]])

    assert [one and one.number for one in run(work)] == [1, 2, None, None, None, 3, 4]
    assert len(statements()) == 5


def test_soft_deletion(db: orm.Session, run: Run, statements: Statements) -> None:
    """A row that is deleted is found by those alone who ask for it."""

    async def work(engine: AsyncEngine) -> list[Any]:
        accounts = AsyncRepository(engine, Account)
        for number in range(2):
            await accounts.create(id=f"a{number}", email=f"{number}@example.com")
        await accounts.delete({"id": "a0"})
        statements()
        keys: list[dict[str, Any]] = [{"id": f"a{number}"} for number in range(2)]
        live = [accounts.find_unique(**key) for key in keys]
        calls = [*live, *[accounts.find_unique(with_deleted=True, **key) for key in keys]]
        return await outcomes([*calls, *[accounts.find_unique(email=f"{number}@example.com") for number in range(2)]])

    found = run(work)
    assert [one and one.id for one in found] == [None, "a1", "a0", "a1", None, "a1"]
    assert len(statements()) == 3
    assert db.scalar(text("SELECT count(*) FROM accounts")) == 2


def test_several_columns(db: orm.Session, run: Run, statements: Statements) -> None:
    """A key of several columns is one key; with a type that an array of values is not like, each asks alone."""
    db.execute(text("CREATE TABLE together_pairs (one text, two int, PRIMARY KEY (one, two))"))

    class OtherBase(DeclarativeBase): ...

    class Pair(OtherBase):
        __tablename__ = "together_pairs"

        one: Mapped[str] = mapped_column(Text, primary_key=True)
        two: Mapped[int] = mapped_column(primary_key=True)

    async def work(engine: AsyncEngine) -> list[Any]:
        pairs, products = AsyncRepository(engine, Pair), AsyncRepository(engine, Product)
        await pairs.create_many([{"one": one, "two": two} for one in "ab" for two in (1, 2)])
        await products.create_many([{"team": team, "number": 1} for team in Team])
        statements()
        calls = [pairs.find_unique(one=one, two=two) for one, two in (("a", 2), ("b", 1), ("c", 1))]
        return await outcomes([*calls, *[products.find_unique(team=team, number=1) for team in Team]])

    *pairs, red, blue = run(work)
    assert [one and (one.one, one.two) for one in pairs] == [("a", 2), ("b", 1), None]
    assert (red.team, blue.team) == (Team.RED, Team.BLUE)
    assert len(statements()) == 3


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"sorted": "s1"},
        {"price": 0.1},
        {"number": True},
        {"number": 2**31},
        {"code": None},
        {"colour": "red"},
        {"secret": "secret 1"},
        {"code": "a\0b"},
        {"code": "\ud800"},
        {"number": "1"},
        {"id": "00000000-0000-0000-0000-000000000001"},
    ],
    ids=str,
)
def test_as_alone(key: dict[str, Any], run: Run, blog_engine: Engine) -> None:
    """Any value finds what it finds alone, or fails as it does alone, and harms no other."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        good = [things.get(**{name: thing(n)[name] for name in key if name in KEYS} or {"number": n}) for n in (2, 3)]
        return await outcomes([good[0], things.find_unique(**key), good[1], things.find_unique(**key)])

    first, found, second, again = run(work)
    assert (first.number, second.number) == (2, 3)
    try:
        expected: object = Repository(blog_engine, Thing).find_unique(**key)
    except (RepositoryError, NotAUniqueKeyError) as error:
        expected = error
    for one in found, again:
        assert (type(one), str(getattr(one, "number", one))) == (
            type(expected),
            str(getattr(expected, "number", expected)),
        )


def test_no_such_row(run: Run, statements: Statements) -> None:
    """`get` raises for the caller whose row is not there, by an error of their own."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        return await outcomes([things.get(number=number) for number in (1, 98, 99)])

    one, first, second = run(work)
    assert one.number == 1
    assert isinstance(first, NotFoundError)
    assert isinstance(second, NotFoundError)
    assert first is not second
    assert len(statements()) == 1


def test_several_classes(run: Run, statements: Statements) -> None:
    """Where a table has rows of several classes, each is read through a session, as alone, and is of its class."""

    async def work(engine: AsyncEngine) -> list[Any]:
        animals, cats = AsyncRepository(engine, Animal), AsyncRepository(engine, Cat)
        await cats.create_many([{"id": number} for number in range(2)])
        await animals.create(id=2, kind="animal")
        statements()
        return await outcomes([each.find_unique(id=number) for each in (cats, animals) for number in range(3)])

    assert [type(one) for one in run(work)] == [Cat, Cat, type(None), Cat, Cat, Animal]
    assert len(statements()) == 6


def test_what_cannot_be_read(db: orm.Session, run: Run) -> None:
    """A row with a value that Python cannot hold fails its own caller alone."""

    async def work(engine: AsyncEngine) -> list[Any]:
        tags = AsyncRepository(engine, Post)
        users = await AsyncUserRepository(engine).create(email="ada@example.com")
        made = [await tags.create(title=title, content="", author_id=users.id) for title in "ab"]
        await asyncio.to_thread(db.execute, text("UPDATE posts SET created_at = 'infinity' WHERE title = 'b'"))
        return await outcomes([tags.get(id=one.id) for one in made])

    good, bad = run(work)
    assert good.title == "a"
    assert isinstance(bad, RepositoryError)
    assert "posts.created_at" in str(bad)


def test_the_context_of_each(run: Run, statements: Statements) -> None:
    """An object is made in the task of its caller: a type of the host's may ask for context variables."""

    async def read(things: AsyncRepository[Thing], who: str) -> str:
        READER.set(who)
        return (await things.get(number=1)).secret

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        return await outcomes([read(things, who) for who in ("ada", "bob")])

    assert run(work) == ["secret 1 to ada", "secret 1 to bob"]
    assert len(statements()) == 1


def test_a_listener_of_the_pool(run: Run, statements: Statements) -> None:
    """What a host does as a connection is taken may depend on who calls, as with row security: each asks alone."""

    async def read(things: AsyncRepository[Thing], who: str) -> str:
        READER.set(who)
        return (await things.get(number=1)).code

    async def work(engine: AsyncEngine) -> list[str]:
        seen: list[str] = []
        event.listen(engine.sync_engine, "checkout", lambda *_: seen.append(READER.get()))
        await outcomes([read(AsyncRepository(engine, Thing), who) for who in ("ada", "bob")])
        return sorted(seen)

    assert run(work) == ["ada", "bob"]
    assert len(statements()) == 2


def test_engines_and_sessions(run: Run, statements: Statements) -> None:
    """Another engine, other options, and sessions of the host have statements of their own."""

    async def in_session(engine: AsyncEngine) -> object:
        async with AsyncSession(engine) as db:
            return await AsyncRepository(db, Thing).get(number=1)

    async def work(engine: AsyncEngine) -> None:
        other = engine.execution_options(pgauthkit_call_timeout=5.0)
        engines = [engine, engine, other, other]
        await outcomes([AsyncRepository(each, Thing).get(number=1) for each in engines])
        assert len(statements()) == 2
        await outcomes([in_session(engine), in_session(engine)])
        assert len(statements()) == 2

    run(work)


def test_one_connection(run: Run, statements: Statements) -> None:
    """With a pool of one, whoever comes while it is taken waits, and several kinds take turns."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        calls = [things.get(number=number) for number in range(4)]
        return await outcomes([*calls, *[things.get(code=f"c{number}") for number in range(4)]])

    assert [one.number for one in run(work, pool_size=1, max_overflow=0)] == [0, 1, 2, 3] * 2
    assert len(statements()) == 2


def test_threads(blog_url: str) -> None:
    """Threads with event loops of their own share nothing but the pool's address."""
    found: list[list[int]] = []

    async def main() -> None:
        engine = create_async_engine(blog_url)
        things = AsyncRepository(engine, Thing)
        for _ in range(5):
            rows = await outcomes([things.get(number=number) for number in range(5)])
            found.append([one.number for one in rows])
        await engine.dispose()

    threads = [threading.Thread(target=asyncio.run, args=[main()]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[0, 1, 2, 3, 4]] * 10


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
@pytest.mark.parametrize("which", [0, 1])
def test_a_caller_who_is_cancelled(run: Run, turns: int, which: int) -> None:
    """A call that is cancelled, at whatever time, leaves the others theirs."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        calls = [asyncio.create_task(things.get(number=number)) for number in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        calls[which].cancel()
        return await outcomes(list(calls))

    found = run(work)
    assert isinstance(found.pop(which), asyncio.CancelledError)
    assert [one.number for one in found] == [number for number in range(3) if number != which]


def test_a_connection_that_is_lost(run: Run, blog_url: str) -> None:
    """Where the connection of many is lost, each asks alone, and one that is lost again is one caller's."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        async with locked(blog_url) as looking:
            calls = [asyncio.create_task(things.get(number=number)) for number in range(3)]
            for count in (1, 3):
                first, *_ = await waiting(looking, count)
                await looking.execute("SELECT pg_terminate_backend(%s, 60000)", [first])
        return await outcomes(list(calls))

    found = run(work)
    (lost,) = [one for one in found if isinstance(one, BaseException)]
    assert isinstance(lost, DatabaseUnavailableError)
    assert (lost.__cause__, lost.__context__) == (None, None)
    assert sum(isinstance(one, Thing) for one in found) == 2


def test_calls_that_take_too_long(run: Run, blog_url: str) -> None:
    """Many are one call: none is asked again when its time is up."""

    async def work(engine: AsyncEngine) -> list[Any]:
        things = AsyncRepository(engine, Thing)
        async with locked(blog_url):
            return await outcomes([things.get(number=number) for number in range(2)])

    for error in run(work, call_timeout=0.3):
        assert isinstance(error, DatabaseUnavailableError)
        assert "call_timeout" in error.hints[0]
