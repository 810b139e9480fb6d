"""Repositories on an engine: each call in a transaction of its own, objects detached, and what they refuse."""

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Engine, event, func, insert, literal, orm, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.integration.repositories.conftest import (
    Account,
    Category,
    Comment,
    Loop,
    Post,
    Product,
    Tag,
    Team,
    Waiting,
    engine_work,
)

from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.database.deadline import CALL_ENDS, limit_calls
from pgauthkit.errors import (
    DatabaseUnavailableError,
    ForeignKeyViolationError,
    RepositoryError,
    RetryableError,
    UniqueViolationError,
    ValueTooLongError,
)
from pgauthkit.models import User
from pgauthkit.repositories import (
    AsyncMagicLinkRepository,
    AsyncRepository,
    AsyncSessionRepository,
    AsyncUserRepository,
    MagicLinkRepository,
    Repository,
    SessionRepository,
    UserRepository,
)

pytestmark = pytest.mark.usefixtures("db")

REPOSITORIES: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    (lambda db: Repository(db, Post), lambda db: AsyncRepository(db, Post)),
    (UserRepository, AsyncUserRepository),
    (MagicLinkRepository, AsyncMagicLinkRepository),
    (SessionRepository, AsyncSessionRepository),
]

OnEngine = Callable[[type[Any]], Repository[Any]]

# Fails as often as the sequence says, whatever is rolled back.
CONFLICT = """
CREATE SEQUENCE tries;
CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER conflict BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION conflict();
"""
NO_CONFLICT = "DROP TRIGGER conflict ON accounts; DROP FUNCTION conflict; DROP SEQUENCE tries"


@pytest.fixture
def db(blog_engine: Engine) -> Iterator[orm.Session]:
    """A session in autocommit beside the repositories, after which no row is left."""
    with engine_work(blog_engine) as work:
        yield work.db


@pytest.fixture(params=["sync", "async"])
def on_engine(
    request: pytest.FixtureRequest,
    blog_engine: Engine,
    blog_async_engine: AsyncEngine,
    runner: asyncio.Runner,
) -> OnEngine:
    """Gives the repository of a model on an engine, then on an async one with every call waited for."""
    if request.param == "sync":
        return lambda model: Repository(blog_engine, model)
    return lambda model: cast("Repository[Any]", Waiting(Loop(runner), AsyncRepository(blog_async_engine, model)))


@pytest.fixture
def ada(on_engine: OnEngine) -> User:
    """Somebody who writes."""
    user: User = on_engine(User).create(email="ada@example.com")
    return user


def test_objects_are_detached(on_engine: OnEngine, ada: User) -> None:
    """They can be read; what was not included raises, and what was included is there."""
    posts = on_engine(Post)
    created = posts.create(title="A", content="", author_id=ada.id)
    assert orm.object_session(created) is None
    with pytest.raises(RepositoryError, match=r"Post\.author was not loaded: ask with include=\['author'\]"):
        _ = created.author
    found = posts.get(id=created.id, include=["author.posts", "comments"])
    assert (found.title, found.author.email, found.author.posts, found.comments) == ("A", ada.email, [found], [])
    assert posts.update({"id": created.id}, title="B").title == "B"
    assert posts.delete({"id": created.id}).title == "B"
    assert posts.count() == 0


def test_objects_in_a_session(on_engine: OnEngine, ada: User, db: orm.Session) -> None:
    """They can be added to a session, merged into one, copied and pickled; each is equal to itself alone."""
    on_engine(Post).create(title="A", content="", author_id=ada.id)
    (first,), (second,) = on_engine(Post).find_many(), on_engine(Post).find_many()
    assert first == first  # noqa: PLR0124 - by identity, as SQLAlchemy has it
    assert first != second
    merged = db.merge(first)
    assert merged is not first
    db.expunge_all()
    db.add(first)
    first.title = "B"
    db.flush()
    assert on_engine(Post).find_many()[0].title == "B"
    again = pickle.loads(pickle.dumps(on_engine(Post).find_many(include="author")[0]))  # noqa: S301 - our own
    assert (again.title, again.author.email) == ("B", ada.email)
    assert copy.copy(ada).email == ada.email


def test_every_repository(blog_engine: Engine, blog_async_engine: AsyncEngine, runner: asyncio.Runner) -> None:
    """Those of users, links and sessions take an engine as well, and each refuses what is the other twin's."""
    for sync, awaited in REPOSITORIES:
        assert sync(blog_engine).count() == Loop(runner).wait(awaited(blog_async_engine).count()) == 0
        with pytest.raises(RepositoryError, match=r"^AsyncEngine is for Async\w*Repository\.$"):
            sync(blog_async_engine)
        with pytest.raises(RepositoryError, match=r"^Engine is for Repository, and not for AsyncRepository\.$"):
            awaited(blog_engine)
        for wrong in ("postgresql://db.example/app", orm.sessionmaker(), None):
            with pytest.raises(RepositoryError, match="is neither a Session nor an Engine"):
                sync(wrong)
            with pytest.raises(RepositoryError, match="is neither an AsyncSession nor an AsyncEngine"):
                awaited(wrong)


def test_a_scoped_async_session(blog_async_engine: AsyncEngine, runner: asyncio.Runner) -> None:
    """An async repository works in the session that is this task's, as a synchronous one in this thread's."""

    async def count() -> int:
        scoped = async_scoped_session(async_sessionmaker(blog_async_engine), asyncio.current_task)
        found = await AsyncRepository(cast("Any", scoped), Post).count()
        await scoped.close()
        return found

    assert runner.run(count()) == 0


def test_an_object_is_created(on_engine: OnEngine, ada: User) -> None:
    """A new object is inserted and returned; its None in a column of JSON is NULL, as with values."""
    product = Product(team=Team.RED, number=1, extra=None, owner_id=ada.id)
    assert on_engine(Product).create(product) is product
    assert (product.extra, product.price, product.created_at) == (None, 0, product.updated_at)
    assert on_engine(Product).count(Product.extra.is_(None)) == 1


@pytest.mark.parametrize(
    ("instance", "values", "kind", "message"),
    [
        (Tag(name="a"), {"name": "b"}, RepositoryError, "takes an object or values, and not both"),
        (Category(), {}, RepositoryError, "takes an object of it, or values by name, and not Category"),
        (Tag(name="\0"), {}, RepositoryError, "holds a NUL"),
    ],
)
def test_an_object_that_is_refused(
    on_engine: OnEngine, instance: object, values: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """What cannot be inserted is refused, and nothing is sent."""
    with pytest.raises(kind, match=message):
        on_engine(Tag).create(instance, **values)
    assert on_engine(Tag).count() == 0


def test_an_object_twice(on_engine: OnEngine) -> None:
    """One that is in the database is refused; one that could not be inserted may be given again."""
    tags = on_engine(Tag)
    first, second = tags.create(Tag(name="a")), Tag(name="a")
    with pytest.raises(RepositoryError, match="in the database or in a session already"):
        tags.create(first)
    with pytest.raises(UniqueViolationError):
        tags.create(second)
    second.name = "b"
    assert tags.create(second) is second
    with pytest.raises(ValueTooLongError):
        on_engine(Account).create(Account(email="a", number="123456789"))


@pytest.mark.parametrize("as_object", [False, True])
def test_a_row_that_is_referred_to(on_engine: OnEngine, ada: User, *, as_object: bool) -> None:
    """A relation may be given an object that is in the database, which takes no part in it."""
    values: dict[str, Any] = {"title": "A", "content": "", "author": ada}
    post = on_engine(Post).create(Post(**values)) if as_object else on_engine(Post).create(**values)
    assert (post.author, post.author_id) == (ada, ada.id)
    assert orm.object_session(ada) is None
    assert ada.email == "ada@example.com"
    with pytest.raises(RepositoryError, match="posts was not loaded"):
        _ = cast("Any", ada).posts


def test_new_objects_that_are_referred_to(on_engine: OnEngine, ada: User, db: orm.Session) -> None:
    """Several new objects need a session, and the error says so."""
    post = {"title": "A", "content": "", "author_id": ada.id}
    for name, value in [("author", User(email="x@example.com")), ("comments", [Comment(text="c")]), ("tags", [Tag()])]:
        with pytest.raises(RepositoryError, match=f"with new objects in {name} takes several statements"):
            on_engine(Post).create(**post, **{name: value})
    assert on_engine(Post).count() == 0
    assert Repository(db, Post).create(Post(**post, comments=[Comment(text="c")])).comments[0].text == "c"


@pytest.fixture
def conflict(db: orm.Session) -> Iterator[None]:
    """The first two inserts of accounts fail with a serialization failure."""
    db.execute(text(CONFLICT))
    yield
    db.execute(text(NO_CONFLICT))


@pytest.mark.usefixtures("conflict")
def test_it_is_repeated(on_engine: OnEngine) -> None:
    """A conflict with another transaction is not the caller's business."""
    assert on_engine(Account).create(email="ada@example.com").email == "ada@example.com"
    assert on_engine(Account).count() == 1


@pytest.mark.usefixtures("conflict")
def test_rows_are_sent_again(on_engine: OnEngine, db: orm.Session) -> None:
    """Rows that are there a second time are sent again; an iterator, which is used up, is not."""
    rows = [{"email": "ada@example.com"}, {"email": "bob@example.com"}]
    assert on_engine(Account).create_many(rows, batch_size=1) == 2
    db.execute(text("SELECT setval('tries', 1)"))
    with pytest.raises(RetryableError):
        on_engine(Account).create_many(iter([{"email": "eve@example.com"}]))
    assert on_engine(Account).count() == 2


def test_all_or_nothing(on_engine: OnEngine) -> None:
    """Batches are one transaction."""
    rows = [{"email": "ada@example.com"}, {"email": "bob@example.com"}, {"email": "ada@example.com"}]
    with pytest.raises(UniqueViolationError):
        on_engine(Account).create_many(rows, batch_size=1)
    assert on_engine(Account).count() == 0


def test_a_failure_of_the_commit(on_engine: OnEngine, db: orm.Session) -> None:
    """What the server finds only at the commit is an error of ours as well."""
    db.execute(text("ALTER TABLE categories ALTER CONSTRAINT categories_parent_id_fkey DEFERRABLE INITIALLY DEFERRED"))
    with pytest.raises(ForeignKeyViolationError):
        on_engine(Category).create(id=1, parent_id=2)
    with pytest.raises(ForeignKeyViolationError):
        on_engine(Category).create_many([{"id": 1, "parent_id": 2}])
    db.execute(text("ALTER TABLE categories ALTER CONSTRAINT categories_parent_id_fkey NOT DEFERRABLE"))
    assert on_engine(Category).count() == 0


def test_one_snapshot(on_engine: OnEngine, ada: User, db: orm.Session) -> None:
    """A row that another commits between the statements of one call is not seen."""
    on_engine(Post).create(id="p", title="A", content="", author_id=ada.id)

    def comment(connection: Connection, *_: object) -> None:
        if connection is not db.connection() and not written:
            written.append("c")
            db.execute(insert(Comment).values(id="c", text="c", post_id="p"))

    written: list[str] = []
    event.listen(Engine, "after_cursor_execute", comment)
    assert on_engine(Post).get(id="p", include="comments").comments == []
    event.remove(Engine, "after_cursor_execute", comment)
    assert [comment.id for comment in on_engine(Post).get(id="p", include="comments").comments] == written == ["c"]


def test_a_connection_that_the_server_closed(db: orm.Session, blog_url: str, runner: asyncio.Runner) -> None:
    """It is noticed before anything is sent."""
    options: dict[str, Any] = {"connect_args": {"application_name": "cut"}}
    engine, async_engine = create_engine(blog_url, **options), create_async_engine(blog_url, **options)
    tags: list[Any] = [Repository(engine, Tag), Waiting(Loop(runner), AsyncRepository(async_engine, Tag))]
    assert [repository.count() for repository in tags] == [0, 0]
    cut = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = 'cut'"
    assert db.scalars(text(cut)).all() == [True, True]
    assert [repository.count() for repository in tags] == [0, 0]
    assert db.scalars(text(cut)).all() == [True, True]
    assert [repository.find_many(Tag.id.in_([1])) for repository in tags] == [[], []]  # through a session
    engine.dispose()
    runner.run(async_engine.dispose())


def test_a_call_that_takes_too_long(blog_url: str, runner: asyncio.Runner) -> None:
    """A call ends when its time is over, and the next one has a time of its own."""
    engine, async_engine = create_engine(blog_url), create_async_engine(blog_url)

    def repositories() -> tuple[Any, Any]:
        return Repository(engine, Tag), Waiting(Loop(runner), AsyncRepository(async_engine, Tag))

    patient = repositories()
    patient[0].create(name="a")
    assert patient[1].count() == 1
    for each in engine, async_engine.sync_engine:
        limit_calls(each, 0.2)
    for impatient, other in zip(repositories(), patient, strict=True):
        with pytest.raises(DatabaseUnavailableError, match="No answer within call_timeout"):
            impatient.find_many(func.pg_sleep(30).is_(None))
        assert other.count() == 1
    engine.dispose()
    runner.run(async_engine.dispose())


def test_each_batch_has_its_time(on_engine: OnEngine) -> None:
    """The time of batches is for each statement, and not for what the host does between two."""
    ends: list[float | None] = []

    def note(*_: object) -> None:
        ends.append(CALL_ENDS.get())

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(3):
            note()
            yield {"email": f"{number}@example.com"}

    event.listen(Engine, "before_cursor_execute", note)
    assert on_engine(Account).create_many(rows(), batch_size=1, on_progress=note) == 3
    event.remove(Engine, "before_cursor_execute", note)
    limited = [end for end in ends if end is not None]
    assert len(ends) - len(limited) == 6
    assert limited == sorted(set(limited))
    assert CALL_ENDS.get() is None


def test_a_column_that_is_not_read(on_engine: OnEngine, db: orm.Session) -> None:
    """A column that is loaded when touched says that there is no session to do it."""

    class LateBase(DeclarativeBase): ...

    class Late(LateBase):
        __tablename__ = "late"

        id: Mapped[int] = mapped_column(primary_key=True)
        words: Mapped[str | None] = mapped_column(deferred=True)

    LateBase.metadata.create_all(db.connection())
    on_engine(Late).create_many([{"id": 1, "words": "a"}])
    found = on_engine(Late).get(id=1)
    with pytest.raises(RepositoryError, match=r"Late\.words was not loaded: the row is in no session"):
        _ = found.words
    db.add(found)
    assert found.words == "a"
    db.expunge_all()
    assert on_engine(Late).count(literal(value=True)) == 1
