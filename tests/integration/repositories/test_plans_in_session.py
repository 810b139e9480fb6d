"""Calls in a session that go by a plan: what the session's own loading would give, in all that its objects show."""

import asyncio
import logging
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from inspect import getattr_static
from typing import Any, cast

import attrs
import pytest
from hypothesis import given, settings, strategies as st
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, Text, event, func, inspect, literal_column, orm, select, text
from sqlalchemy.exc import InvalidRequestError, SAWarning, UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm.collections import InstrumentedList
from sqlalchemy.orm.exc import DetachedInstanceError, ObjectDereferencedError
from sqlalchemy.util import immutabledict
from tests.integration.repositories.conftest import Post, Tag, engine_work
from tests.integration.repositories.test_plans import CALLS, EARLY, INCLUDES, MODELS, WHERE, Call, fill
from tests.integration.repositories.test_through_a_session import Careless, listening

from pgauthkit.database import create_engine
from pgauthkit.database.line import Line
from pgauthkit.database.preparing import MOST_PREPARED
from pgauthkit.errors import DatabaseUnavailableError, PgAuthKitError, RepositoryError, RetryableError
from pgauthkit.models import User
from pgauthkit.repositories import AsyncRepository, Page, Repository
from pgauthkit.repositories.generic.description import describe
from pgauthkit.repositories.generic.plans.joining import joined
from pgauthkit.repositories.generic.plans.known import plans_of
from pgauthkit.repositories.generic.plans.plan import planned

# How far relations are followed that load when they are touched.
DEPTH = 2


@pytest.fixture(scope="module")
def rows(blog_engine: Engine) -> Iterator[None]:
    """Some rows of each model, which hang on each other, and which no test changes."""
    with engine_work(blog_engine) as work:
        fill(work.db)
        yield


@pytest.fixture
def db(blog_logged_engine: Engine) -> Iterator[orm.Session]:
    """A session."""
    with orm.Session(blog_logged_engine) as db:
        yield db


@pytest.fixture
def alone(blog_url: str) -> Iterator[orm.Session]:
    """A session that has the same connection in each of its transactions."""
    engine = create_engine(blog_url, pool_size=1)
    with orm.Session(engine) as db:
        yield db
    engine.dispose()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[logging.LogRecord]]:
    """Gives what was logged of statements since the last time."""
    caplog.set_level(logging.INFO, "pgauthkit.queries")

    def records() -> list[logging.LogRecord]:
        found = [record for record in caplog.records if record.name == "pgauthkit.queries"]
        caplog.clear()
        return found

    return records


def shown(found: object, db: orm.Session, seen: frozenset[int] = frozenset()) -> object:
    """Return all that an answer shows: types, columns, relations, and the words of those that are not there."""
    if isinstance(found, Page):
        return {field.name: shown(getattr(found, field.name), db, seen) for field in attrs.fields(Page)}
    if isinstance(found, list | tuple):
        return [shown(item, db, seen) for item in found]
    if not isinstance(found, tuple(MODELS)):
        return type(found), found
    if id(found) in seen or len(seen) > DEPTH:
        return found in db
    state = inspect(found)
    assert (state.persistent, state.modified, state.session) == (True, False, db)
    assert db.identity_map[state.key] is found
    columns = {name: getattr(found, name) for name in state.mapper.column_attrs.keys()}  # noqa: SIM118 - SQLAlchemy's
    relations: dict[str, object] = {}
    for name in state.mapper.relationships.keys():  # noqa: SIM118 - the same
        try:
            relations[name] = shown(getattr(found, name), db, seen | {id(found)})
        except (RepositoryError, InvalidRequestError) as error:
            relations[name] = str(error)
    return type(found), state.key, columns, relations, sorted(state.unloaded), state.expired


def nothing(_: orm.Session) -> None:
    """Leave the session as it is."""


def everything(db: orm.Session) -> None:
    """Have the session know all objects, with their relations, as SQLAlchemy's own loading leaves them."""
    for model in MODELS:
        for row in Repository(db, model)._by_orm.find_many(with_deleted=True, include=include_of(model)):
            db.info.setdefault("kept", []).append(row)


def include_of(model: type[Any]) -> list[str]:
    return [name for name in inspect(model).relationships.keys() if name != "magic_links"]  # noqa: SIM118 - SQLAlchemy's


def expired(db: orm.Session) -> None:
    """The same after a commit."""
    everything(db)
    db.expire_all()


def pending(db: orm.Session) -> None:
    """The same with changes that are not written yet."""
    everything(db)
    for post in db.scalars(select(Post).where(Post.published.is_(True))):
        post.title, post.updated_at = "T1", EARLY
    db.add(Post(id="p9", title="T1", content="", author_id="bob", created_at=EARLY, updated_at=EARLY))


def outcome(engine: Engine, model: type[Any], call: Call, before: Callable[[orm.Session], None], *, plans: bool) -> Any:  # noqa: ANN401 - to compare
    """Return what a call shows in a session, again after its objects have expired, and after the rollback."""
    with orm.Session(engine) as db:
        before(db)
        repository = Repository(db, model)
        try:
            found = call(repository if plans else repository._by_orm)
        except PgAuthKitError as error:
            return type(error), str(error)
        once = shown(found, db)
        db.expire_all()
        return once, shown(found, db)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("before", [nothing, everything, expired, pending])
def test_both_ways(blog_engine: Engine, before: Callable[[orm.Session], None]) -> None:
    """A plan answers each call as the session's own loading does, whatever the session knows by then."""
    for model, call in CALLS if before is nothing else CALLS[5::6]:
        expected = outcome(blog_engine, model, call, before, plans=False)
        assert expected == outcome(blog_engine, model, call, before, plans=True)


@pytest.mark.usefixtures("rows")
@settings(max_examples=15, deadline=None)
@given(
    before=st.sampled_from([nothing, everything, expired, pending]),
    where=st.tuples(st.sampled_from(sorted(WHERE)), st.integers(0, 3)),
    options=st.fixed_dictionaries(
        {
            "order_by": st.sampled_from(["id", "-id", ["title", "-id"]]),
            "take": st.none() | st.integers(0, 4),
            "skip": st.none() | st.integers(0, 4),
            "include": INCLUDES,
        }
    ),
)
def test_both_ways_whatever_is_asked(
    blog_engine: Engine, before: Callable[[orm.Session], None], where: tuple[str, int], options: dict[str, Any]
) -> None:
    """Conditions, orders, limits and trees in any combination, beside whatever the session knows."""
    kind, value = where

    def call(repository: Repository[Any]) -> object:
        return repository.find_many(*WHERE[kind](value), **options)

    expected = outcome(blog_engine, Post, call, before, plans=False)
    assert expected == outcome(blog_engine, Post, call, before, plans=True)


@pytest.mark.usefixtures("rows")
def test_an_object_that_the_session_has(db: orm.Session) -> None:
    """It is the one that is returned, shows what is in the database, and what is included of it."""
    posts = Repository(db, Post)
    first = posts.get(id="p1", include="comments")
    old = first.comments
    db.execute(text("UPDATE posts SET title = 'new' WHERE id = 'p1'"))
    assert posts.find_many(id="p1", include="author") == [first]
    assert (first.title, first.author.id) == ("new", "bob")
    with pytest.raises(RepositoryError, match=r"Post\.comments was not loaded: ask with include=\['comments'\]"):
        _ = first.comments
    assert [comment.id for comment in posts.get(id="p1", include="comments").comments] == ["c10"]
    assert first.comments is not old


@pytest.mark.usefixtures("rows")
def test_changes_are_written(db: orm.Session) -> None:
    """A session knows what was changed of an object, and of a collection, that came by a plan; and takes it back."""
    posts = Repository(db, Post)
    first = posts.get(id="p2", include=["tags", "author"])
    first.title = "changed"
    first.tags.append(Tag(name="new"))
    first.tags.pop(0)
    assert inspect(first).modified
    assert posts.get(id="p2", include="tags") is first
    assert (first.title, [tag.name for tag in first.tags]) == ("changed", ["new", "a"])
    db.rollback()
    assert (first.title, [tag.name for tag in first.tags]) == ("T2", ["b", "a"])
    assert db.scalar(select(func.count()).select_from(Tag)) == 3


def merged(post: Post, engine: Engine) -> Post:
    with orm.Session(engine) as other:
        return other.merge(post, load=False)


def merged_into_its_own(post: Post, engine: Engine) -> Post:
    with orm.Session(engine) as other:
        own = Repository(other, Post).get(id="p1")
        assert other.merge(post) is own
        return own


def read_again(post: Post, engine: Engine) -> Post:
    with orm.Session(engine, expire_on_commit=False) as other:
        other.add(post)
        assert other.scalars(select(Post).filter_by(id="p1").options(orm.raiseload(Post.author))).one() is post
        other.commit()
        return post


def given_a_loader(post: Post, _engine: Engine) -> Post:
    """Have an attribute loaded otherwise, as an option of a statement does."""

    def refuse(*_: object) -> None:
        raise RepositoryError("not this one")

    state: Any = inspect(post)
    state._instance_level_callable_processor(state.manager, refuse, "author")(state, state.dict, ())
    return post


def pickled(post: Post, _engine: Engine) -> Post:
    copied = cast("Post", pickle.loads(pickle.dumps(post)))  # noqa: S301 - our own
    assert inspect(copied).key == inspect(post).key
    return copied


def transient(post: Post, _engine: Engine) -> Post:
    orm.make_transient(post)
    return post


def changed(post: Post, _engine: Engine) -> Post:
    post.title = "changed"
    assert inspect(post).attrs.title.history.deleted == ["T1"]
    return post


def asked_for_more(post: Post, _engine: Engine) -> Post:
    assert not hasattr(inspect(post), "nothing_of_the_kind")
    return post


def asked_at_once(post: Post, _engine: Engine) -> Post:
    kind = type(inspect(post))
    assert inspect(post).committed_state == {}
    if kind is not orm.InstanceState:  # another thread is behind
        assert getattr_static(kind, "callables").__get__(inspect(post)) is inspect(post).callables
    return post


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    "done",
    [
        merged,
        merged_into_its_own,
        read_again,
        given_a_loader,
        pickled,
        transient,
        changed,
        asked_for_more,
        asked_at_once,
    ],
)
def test_what_is_done_with_an_object(blog_engine: Engine, done: Callable[[Post, Engine], Post]) -> None:
    """An object that came by a plan is to SQLAlchemy what its own are, whatever is done with it."""
    seen: list[object] = []
    for plans in (True, False):
        with orm.Session(blog_engine) as db:
            posts = Repository(db, Post)
            post = (posts if plans else posts._by_orm).get(id="p1", include=["comments", "tags"])
        given = done(post, blog_engine)
        state = inspect(given)
        relations = [(name, relation_of(given, name)) for name in ("author", "comments", "tags")]
        seen.append((state.key, state.dict["title"], state.modified, sorted(state.unloaded), relations))
        assert type(state) is orm.InstanceState
    assert seen[0] == seen[1]


def relation_of(post: Post, name: str) -> object:
    try:
        found = getattr(post, name)
    except (RepositoryError, InvalidRequestError, DetachedInstanceError) as error:
        return str(error)
    return [str(inspect(child).identity) for child in found] if isinstance(found, list) else type(found)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("plans", [True, False])
def test_a_list_that_is_changed(db: orm.Session, *, plans: bool) -> None:
    """SQLAlchemy learns whose it is by then, also if its owner has expired, is gone, or is elsewhere."""
    posts = Repository(db, Post) if plans else Repository(db, Post)._by_orm
    copied = pickle.loads(pickle.dumps(posts.get(id="p2", include="tags").tags))  # noqa: S301 - our own
    assert [type(copied), *(tag.name for tag in copied)] == [InstrumentedList, "b", "a"]
    post = posts.get(id="p2", include="tags")
    tags = post.tags
    db.expire(post, ["tags"])
    with pytest.warns(SAWarning, match="invalidated"):
        tags.append(Tag(name="c"))
    db.rollback()
    tags = posts.get(id="p2", include="tags").tags
    del post
    with pytest.raises(ObjectDereferencedError):
        tags.append(Tag(name="c"))


@pytest.mark.usefixtures("rows")
def test_the_transaction(db: orm.Session, logged: Callable[[], list[logging.LogRecord]]) -> None:
    """It begins with the first call, in the same round trip, after the session's hooks; each call is one."""

    def set_tenant(_session: object, _transaction: object, connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        connection.execute(text("SELECT set_config('app.tenant', '7', true)"))

    tags = Repository(db, Tag)
    for _ in range(2):
        assert tags.count() == 3
        assert tags.exists(name="a")
        assert [vars(record)["round_trips"] for record in logged()] == [1, 1]
        db.rollback()
    event.listen(db, "after_begin", set_tenant)
    assert tags.find_first(func.current_setting("app.tenant") == "7", order_by="id") is not None


@pytest.mark.usefixtures("rows")
def test_a_plan_is_made_once(blog_engine: Engine) -> None:
    """Calls that differ in their values alone have one plan, in each session, and on the engine of these sessions."""
    plans = plans_of(describe(Post), blog_engine.dialect)
    built = set[int]()
    for number in range(4):
        with orm.Session(blog_engine) as db:
            for repository in (Repository(db, Post), Repository(blog_engine, Post)):
                for take in (1, 2):
                    repository.find_many(Post.title != f"T{number}", take=take, include={"comments": {"take": 1}})
        built.add(plans.built)
    assert len(built) == 1


@pytest.mark.usefixtures("rows")
def test_what_fails(db: orm.Session) -> None:
    """A statement that fails in the round trip of its BEGIN leaves a transaction that can be rolled back."""
    posts = Repository(db, Post)
    for prepared in (False, True):
        if prepared:
            assert posts.count() == 5
        with pytest.raises(RepositoryError, match="refused"):
            posts.count(func.to_date("x", "YYYY") < Post.created_at)
        with pytest.raises(RepositoryError, match="failed before"):
            posts.count()
        db.rollback()
        assert posts.count() == 5


@pytest.mark.usefixtures("rows")
def test_a_connection_that_is_lost(db: orm.Session) -> None:
    """The session gives it up, and has another one after a rollback."""
    tags = Repository(db, Tag)
    for prepared in (False, True):
        if prepared:
            tags.count()
        connection = db.connection()
        with pytest.raises(DatabaseUnavailableError):
            tags.count(func.pg_terminate_backend(func.pg_backend_pid()).is_(None))
        assert connection.invalidated
        db.rollback()
    assert tags.count() == 3


@pytest.mark.usefixtures("rows")
def test_statements_that_psycopg_has_forgotten(alone: orm.Session) -> None:
    """Psycopg deallocates everything at a rollback after it has prepared something itself: they are prepared again."""
    tags = Repository(alone, Tag)
    line = Line.of(alone.connection().connection)
    for _ in range(2):
        tags.count()
        assert line.prepared.names
        for _ in range(7):
            alone.execute(text("SELECT 7"))
        alone.rollback()
        assert Line.of(alone.connection().connection) is line
        assert not line.prepared.names


@pytest.mark.usefixtures("rows")
def test_statements_that_the_host_deallocates(db: orm.Session) -> None:
    """In the middle of a transaction it fails once, with the advice to run it again; they are prepared again then."""
    tags = Repository(db, Tag)
    tags.count()
    db.execute(text("DEALLOCATE ALL"))
    with pytest.raises(RetryableError):
        tags.count()
    db.rollback()
    assert tags.count() == 3


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("command", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_a_pool_that_resets_its_connections(blog_url: str, command: str) -> None:
    """What begins its transaction is begun again, and nobody notices, in a session and on an engine."""
    engine = create_engine(blog_url, pool_size=1, max_overflow=0)

    @event.listens_for(engine, "reset")
    def _(driver: Any, *_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        driver.rollback()
        driver.autocommit = True
        driver.execute(command)
        driver.autocommit = False

    for _round in range(3):
        with orm.Session(engine) as db:
            assert Repository(db, Tag).count() == 3
            assert len(Repository(db, Tag).find_many()) == 3
            db.execute(text("SELECT 1"))
        assert Repository(engine, Tag).count() == 3
    engine.dispose()


def test_a_table_that_is_changed(alone: orm.Session) -> None:
    """What was prepared before a table was changed is prepared anew; in the middle of a transaction it fails once."""
    alone.execute(text("CREATE TEMPORARY TABLE moving (id int, name text)"))
    alone.execute(text("INSERT INTO moving VALUES (1, '1')"))
    alone.commit()

    class MovingBase(orm.DeclarativeBase): ...

    class Moving(MovingBase):
        __tablename__ = "moving"

        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        name: orm.Mapped[Any] = orm.mapped_column(Text)

    moving = Repository(alone, Moving)
    assert moving.get(id=1).name == moving.find_many()[0].name == "1"
    alone.execute(text("ALTER TABLE moving ALTER name TYPE int USING name::int"))
    alone.commit()
    assert moving.get(id=1).name == 1
    with pytest.raises(RetryableError):
        moving.find_many()
    alone.rollback()
    assert [row.name for row in moving.find_many()] == [1]
    alone.execute(text("DROP TABLE moving"))
    alone.commit()


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("prepared", [0, MOST_PREPARED])
def test_statements_that_are_not_prepared(blog_url: str, prepared: int) -> None:
    """A host behind an old pooler says that nothing may be prepared; and a connection keeps only so many."""
    engine = create_engine(blog_url, connect_args={} if prepared else {"prepare_threshold": None})
    with orm.Session(engine) as db:
        line = Line.of(db.connection().connection)
        line.prepared.names.update({(b"%d" % number, ()): b"" for number in range(prepared)})
        assert Repository(db, Tag).count() == Repository(db, Tag).count() == 3
        assert len(line.prepared.names) == prepared
    engine.dispose()


@pytest.mark.usefixtures("rows")
def test_a_transaction_of_the_driver(blog_url: str) -> None:
    """In autocommit, nothing begins; another isolation level is that of the transaction."""
    for level, status in (("AUTOCOMMIT", TransactionStatus.IDLE), ("SERIALIZABLE", TransactionStatus.INTRANS)):
        engine = create_engine(blog_url, isolation_level=level)
        with orm.Session(engine) as db:
            assert Repository(db, Tag).count() == 3
            driver: Any = db.connection().connection.driver_connection
            assert driver.pgconn.transaction_status == status
            expected = "read committed" if level == "AUTOCOMMIT" else "serializable"
            assert db.scalar(text("SHOW transaction_isolation")) == expected
        engine.dispose()


@pytest.mark.usefixtures("rows")
def test_a_scoped_session(blog_engine: Engine) -> None:
    """A registry of sessions stands for the session of its thread."""
    registry = orm.scoped_session(orm.sessionmaker(blog_engine))
    found = Repository(registry, Tag).get(name="a")  # type: ignore[arg-type]  # which works as well
    assert found in registry()
    registry.remove()


@pytest.mark.usefixtures("rows")
def test_a_call_that_is_cancelled(blog_async_engine: AsyncEngine, runner: asyncio.Runner) -> None:
    """The connection of an async session is given up with what was on its way, and the session goes on."""

    async def cancel() -> int:
        async with AsyncSession(blog_async_engine) as db, AsyncSession(blog_async_engine) as looking:
            tags = AsyncRepository(db, Tag)
            busy = text("SELECT 1 FROM pg_stat_activity WHERE pid = :pid AND wait_event = 'PgSleep'")
            pid = {"pid": await db.scalar(text("SELECT pg_backend_pid()"))}
            call = asyncio.create_task(tags.count(func.pg_sleep(60).is_(None)))
            sleeps = None
            while not sleeps:
                await asyncio.sleep(0.01)
                sleeps = await looking.scalar(busy, pid)
                await looking.rollback()  # within a transaction everybody stays as they were seen first
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await db.rollback()
            return await tags.count()

    assert runner.run(cancel()) == 3


@pytest.mark.usefixtures("rows")
def test_a_call_that_is_abandoned(db: orm.Session) -> None:
    """Nobody reads what is still to come of a round trip: the connection is closed."""
    pooled = db.connection().connection
    driver: Any = pooled.driver_connection
    plan = planned(select(literal_column("pg_catalog.pg_sleep(30)")), db.get_bind().dialect, [])
    steps = joined(driver, Line.of(pooled), plan, [])
    next(steps)
    steps.close()
    assert driver.closed
    db.invalidate()


def why(records: list[logging.LogRecord]) -> list[str]:
    found = [record.getMessage() for record in records]
    return [line.partition("goes through the ORM: ")[2] for line in found if "goes through the ORM" in line]


class OwnBind(orm.Session):
    """A session that says itself which engine it is."""

    def get_bind(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        return super().get_bind(*given, **named)


def translated(db: orm.Session) -> None:
    db.connection(execution_options={"schema_translate_map": {None: "public"}})


def latin(db: orm.Session) -> None:
    db.execute(text("SET client_encoding = 'LATIN1'"))


def echoing(db: orm.Session) -> None:
    db.connection()._echo = True


SETTINGS: list[tuple[Callable[[orm.Session], object], str]] = [
    (nothing, ""),
    (lambda db: event.listen(db, "do_orm_execute", nothing), "something listens to what the session loads."),
    (lambda db: event.listen(db, "loaded_as_persistent", lambda *_: None), "something listens to what the session"),
    (lambda db: event.listen(db.connection(), "before_cursor_execute", lambda *_: None), "listens to the connection."),
    (lambda db: event.listen(db.connection(), "before_execute", lambda *_: None), "listens to the connection."),
    (echoing, "something listens to the connection."),
    (lambda db: db.bind_mapper(Tag, cast("Engine", db.bind)), "the session has no engine, or several."),
    (lambda db: setattr(db, "__class__", OwnBind), "the session has no engine, or several."),
    (
        lambda db: setattr(db, "execution_options", immutabledict(logging_token="a")),
        "the session has execution options.",
    ),
    (translated, "the connection translates schemas."),
    (latin, "the connection speaks another encoding."),
    (lambda db: event.listen(db.connection(), "begin", lambda *_: None), ""),
]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(("given", "reason"), SETTINGS)
def test_what_goes_through_the_orm(
    db: orm.Session,
    logged: Callable[[], list[logging.LogRecord]],
    given: Callable[[orm.Session], object],
    reason: str,
) -> None:
    """What would be passed over has a call go through the session's own loading; the log says so once."""
    plans_of(describe(Tag), cast("Engine", db.bind).dialect)._told.clear()
    given(db)
    found = Repository(db, Tag).get(name="a", include="posts")
    assert Repository(db, Tag).get(name="a", include="posts") is found
    assert [reason in line for line in why(logged())] == [True] * bool(reason)


@pytest.mark.usefixtures("rows")
def test_what_no_plan_can_do(db: orm.Session, logged: Callable[[], list[logging.LogRecord]]) -> None:
    """A condition on one row that is included is part of what SQLAlchemy keeps of it, a list has any length."""
    posts = Repository(db, Post)
    plans_of(describe(Post), cast("Engine", db.bind).dialect)._told.clear()
    assert posts.get(id="p1", include={"author": {"where": User.email == "x"}}).author is None
    assert len(posts.find_many(Post.id.in_(["p1", "p2"]))) == 2
    with listening(Post, "load") as heard:
        assert (posts.get(id="p4").id, len(heard)) == ("p4", 1)
    assert [reason for reason in why(logged()) if reason] == [
        "Post.author has a condition of its own.",
        "the statement depends on more than its shape, as with a list of values.",
        "something listens to the loading of rows.",
    ]


@pytest.mark.usefixtures("rows")
def test_values_that_have_no_form(db: orm.Session) -> None:
    """A value that does not fit, or that the driver cannot send, is reported as ever."""
    with pytest.raises(RepositoryError):
        Repository(db, Tag).find_many(Tag.name == "a\0b")
    db.rollback()
    with pytest.raises(RepositoryError):
        Repository(db, Post).count(title=object())
    db.rollback()
    with pytest.raises(RepositoryError, match="does not fit the type of its column"):
        Repository(db, Careless).find_many(id="é")


def test_a_session_without_an_engine() -> None:
    """It is SQLAlchemy that says so."""
    with pytest.raises(UnboundExecutionError):
        Repository(orm.Session(), Tag).count()


@pytest.mark.usefixtures("rows")
def test_threads_that_share_a_session(db: orm.Session) -> None:
    """Their statements go one after the other, as with a cursor of psycopg, and each gets its own answer."""
    posts = Repository(db, Post)
    total = posts.count()
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda number: posts.count(literal_column(str(number)) == number), range(24)))
    assert found == [total] * 24


@pytest.mark.usefixtures("rows")
def test_tasks_that_share_a_session(blog_async_engine: AsyncEngine, runner: asyncio.Runner) -> None:
    """Theirs as well, where each has its statement prepared, and none waits for an answer that another has read."""

    async def gathered() -> tuple[int, list[int]]:
        async with AsyncSession(blog_async_engine) as db, asyncio.timeout(30):
            posts = AsyncRepository(db, Post)
            total = await posts.count()
            calls = (posts.count(literal_column(str(number)) == number) for number in range(6))
            return total, await asyncio.gather(*calls)

    total, found = runner.run(gathered())
    assert found == [total] * 6
