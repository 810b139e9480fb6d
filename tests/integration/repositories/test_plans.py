"""Calls on an engine that go by a plan: in one round trip, as a session would answer, and what needs a session."""

import logging
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import Engine, Row, bindparam, event, func, inspect, orm, text, true
from tests.integration.repositories.conftest import (
    Account,
    Category,
    Comment,
    Post,
    Product,
    Tag,
    Team,
    engine_work,
)

from pgauthkit.database import create_engine
from pgauthkit.errors import PgAuthKitError, RepositoryError
from pgauthkit.models import Session, User
from pgauthkit.repositories import Page, Repository
from pgauthkit.repositories.generic.description import describe
from pgauthkit.repositories.generic.plans import internals
from pgauthkit.repositories.generic.plans.known import MOST, Plans, plans_of
from pgauthkit.repositories.generic.plans.shapes import Shape

Call = Callable[[Repository[Any]], object]
MODELS: list[type[Any]] = [User, Session, Post, Comment, Tag, Account, Category, Product]
EARLY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def db(blog_engine: Engine) -> Iterator[orm.Session]:
    """A session in autocommit beside the repositories, after which no row is left."""
    with engine_work(blog_engine) as work:
        yield work.db


@pytest.fixture
def rows(db: orm.Session) -> orm.Session:
    """Some rows of each model, which hang on each other."""
    fill(db)
    return db


def fill(db: orm.Session) -> None:
    """Insert some rows of each model, which hang on each other."""
    ada, bob = User(id="ada", email="ada@example.com", created_at=EARLY), User(id="bob", email="bob@example.com")
    tags = [Tag(name=name) for name in ("a", "b", "c")]
    account = Account(id="a", email="a@example.com", number="1")
    gone = Account(id="g", email="g@example.com", deleted_at=EARLY)
    db.add_all([ada, bob, *tags, account, gone])
    for n in range(5):
        post = Post(id=f"p{n}", title=f"T{n % 3}", content="100 %", published=n % 2 == 0, author=(ada, bob)[n % 2])
        post.tags = tags[: n % 4]
        post.comments = [
            Comment(id=f"c{n}{k}", text=f"{k}", stars=k, account=(account, gone, None)[k % 3]) for k in range(n)
        ]
        db.add(post)
    db.add_all([Category(id=1), Category(id=2, parent_id=1), Category(id=3, parent_id=2), Category(id=4, parent_id=1)])
    db.add(Product(id="r", team=Team.RED, number=1, extra={"a": [1]}, owner=ada))
    db.flush()
    db.expunge_all()


@pytest.fixture(scope="module")
def by_session(blog_url: str) -> Iterator[Engine]:
    """An engine on which somebody listens to each statement, so that calls go through a session."""
    engine = create_engine(blog_url)
    event.listen(engine, "before_cursor_execute", lambda *_: None)
    yield engine
    engine.dispose()


@pytest.fixture
def logged(blog_logged_engine: Engine, caplog: pytest.LogCaptureFixture) -> Callable[[], list[logging.LogRecord]]:
    """Gives what was logged of statements since the last time."""
    caplog.set_level(logging.INFO, "pgauthkit.queries")
    assert blog_logged_engine.get_execution_options()["pgauthkit_query_log"]

    def records() -> list[logging.LogRecord]:
        found = [record for record in caplog.records if record.name == "pgauthkit.queries"]
        caplog.clear()
        return found

    return records


def shown(found: object, seen: frozenset[int] = frozenset()) -> object:
    """Return all that an answer shows: types, columns, relations, and the words of those that are not there."""
    if isinstance(found, Row):
        return type(found), dict(found._mapping)
    if isinstance(found, Page):
        return {field.name: shown(getattr(found, field.name)) for field in attrs.fields(Page)}
    if isinstance(found, list | tuple):
        return [shown(item, seen) for item in found]
    return shown_object(found, seen) if isinstance(found, tuple(MODELS)) else (type(found), found)


def shown_object(found: object, seen: frozenset[int]) -> object:
    if id(found) in seen:
        return "again"
    state = inspect(found, raiseerr=True)
    assert state.detached
    assert not state.modified
    assert not state.expired_attributes & set(state.mapper.column_attrs.keys())
    relations: dict[str, object] = {}
    for name in state.mapper.relationships.keys():  # noqa: SIM118 - of SQLAlchemy's
        try:
            relations[name] = shown(getattr(found, name), seen | {id(found)})
        except RepositoryError as error:
            relations[name] = str(error)
    columns = {name: getattr(found, name) for name in state.mapper.column_attrs.keys()}  # noqa: SIM118 - the same
    return type(found), state.key, columns, relations


def outcome(repository: Repository[Any], call: Call) -> object:
    try:
        return shown(call(repository))
    except PgAuthKitError as error:
        return type(error), str(error)


CALLS: list[tuple[type[Any], Call]] = [
    (User, lambda r: r.find_unique(email="ada@example.com")),
    (User, lambda r: r.find_unique(id="nobody")),
    (User, lambda r: r.get(id="nobody")),
    (User, lambda r: r.get(id="ada", include="posts")),
    (User, lambda r: r.find_unique(email=None)),
    (User, lambda r: r.find_unique(role="USER")),
    (User, lambda r: r.find_unique(email="\0")),
    (User, lambda r: r.find_many(nope=1)),
    (User, lambda r: r.find_many(User.is_active.is_(True), order_by="id", include={"posts", "sessions"})),
    (Post, lambda r: r.find_many(order_by=["-title", Post.id.desc()], take=2, skip=1)),
    (Post, lambda r: r.find_many(order_by="id", include=["author", "comments.account.comments", "tags.posts"])),
    (Post, lambda r: r.find_many(order_by="id", include=["author.posts.tags"], published=False)),
    (
        Post,
        lambda r: r.find_many(order_by="id", include={"tags": {"take": 1}, "comments": {"where": Comment.stars > 0}}),
    ),
    (
        Post,
        lambda r: r.find_many(
            order_by="id", include={"comments": {"order_by": "-stars", "take": 2, "include": "post"}}
        ),
    ),
    (Post, lambda r: r.find_many(order_by="id", include={"comments": {"with_deleted": True, "include": "account"}})),
    (Post, lambda r: r.find_many(Post.comments.any(Comment.stars > 2), order_by="id", include="comments")),
    (Post, lambda r: r.find_many(Post.content.contains("0 %"), order_by=Post.id)),
    (Post, lambda r: r.find_many(Post.id.in_(["p1", "p3"]), order_by="id")),
    (Post, lambda r: r.find_first(order_by="-id", include="author")),
    (Post, lambda r: r.find_first(title="nope")),
    (Post, lambda r: r.find_many(take=-1)),
    (Post, lambda r: r.find_many(include={"comments": {"take": -1}})),
    (Post, lambda r: r.find_many(include="nope")),
    (Post, lambda r: r.find_many(Comment.stars > 1)),
    (Post, lambda r: r.find_many("title")),  # type: ignore[arg-type]  # which is wrong
    (Post, lambda r: r.find_many(5)),  # type: ignore[arg-type]  # the same
    (Post, lambda r: r.count()),
    (Post, lambda r: r.count(Post.title == "T1", published=False)),
    (Post, lambda r: r.exists(title="T1")),
    (Post, lambda r: r.exists(title="T9")),
    (Post, lambda r: r.count(func.to_date("x", "YYYY") < Post.created_at)),
    (Post, lambda r: r.count(created_at="yesterday-ish")),
    (Post, lambda r: r.find_many(title=object())),
    (Post, lambda r: r.page(order_by="id", size=2)),
    (Post, lambda r: r.page(order_by=["-title"], size=2, with_total=True, include=["author", "comments.account"])),
    (
        Post,
        lambda r: r.page(order_by=["title", "-id"], size=1, after=r.page(order_by=["title", "-id"], size=2).end_cursor),
    ),
    (
        Post,
        lambda r: r.page(
            Post.id != "p0",
            order_by=Post.title.desc(),
            size=2,
            before=r.page(order_by=Post.title.desc(), size=4).end_cursor,
            with_total=True,
            include={"tags": True, "author.posts": True},
            published=False,
        ),
    ),
    (Post, lambda r: r.page(order_by="id", size=2, title="nope", with_total=True)),
    (Post, lambda r: r.page(order_by="id", size=2, title="nope", include="comments")),
    (Post, lambda r: r.page(order_by="id", size=2, title="nope", after=r.page(order_by="id", size=1).end_cursor)),
    (Post, lambda r: r.page(order_by="id", size=2, title="nope\0")),
    (Post, lambda r: r.page(order_by="id", size=0)),
    (Post, lambda r: r.page(order_by="nope", size=1)),
    (Post, lambda r: r.page(order_by="id", size=1, after="garbled")),
    (Comment, lambda r: r.page(order_by="account_id", size=2)),
    (Comment, lambda r: r.page(order_by="-stars", size=3, with_deleted=True, include="account")),
    (Category, lambda r: r.page(order_by="id", size=2, include=["children.parent"], with_total=True)),
    (Product, lambda r: r.page(order_by=["team", "number"], size=1, include="owner")),
    (Post, lambda r: r.aggregate(n=func.count(), newest=func.max(Post.title), some=func.array_agg(Post.published))),
    (Post, lambda r: r.aggregate(Post.title == "T1", Post.published.is_(False), n=func.count(Post.id))),
    (Post, lambda r: r.aggregate(Comment.stars > 1, n=func.count())),
    (Post, lambda r: r.aggregate()),
    (Post, lambda r: r.aggregate(n=5)),  # type: ignore[arg-type]  # which is wrong
    (Post, lambda r: r.group_by("published", n=func.count(), order_by="published")),
    (Post, lambda r: r.group_by(["title", "published"], Post.id != "p0", n=func.count(), order_by=["-n", "title"])),
    (Post, lambda r: r.group_by(func.length(Post.title) + 1, n=func.count() + 1, having=func.count() > 1)),
    (Post, lambda r: r.group_by("title", n=func.count(), having=[func.count() > 0], order_by=Post.title, take=2)),
    (Post, lambda r: r.group_by("title", n=func.count(), take=-1)),
    (Post, lambda r: r.group_by("title", n=func.count(), order_by="nope")),
    (Post, lambda r: r.group_by("nope", n=func.count())),
    (Post, lambda r: r.group_by("title")),
    (Post, lambda r: r.group_by(5, n=func.count())),  # type: ignore[arg-type]  # which is wrong
    (Post, lambda r: r.group_by("title", n=func.count(), having=5)),  # type: ignore[arg-type]  # the same
    (Post, lambda r: r.group_by("title", n=func.count(), order_by=5)),  # type: ignore[arg-type]  # the same
    (Comment, lambda r: r.group_by("account_id", total=func.sum(Comment.stars), order_by="account_id")),
    (Comment, lambda r: r.aggregate(with_deleted=True, total=func.sum(Comment.stars))),
    (Product, lambda r: r.group_by(["extra", "team"], price=func.sum(Product.price), first=func.min(Product.team))),
    (Comment, lambda r: r.find_many(order_by="id")),
    (Comment, lambda r: r.find_many(order_by="id", include={"post": False, "account": True}, with_deleted=True)),
    (Account, lambda r: r.find_many(order_by="id", include="comments")),
    (Account, lambda r: r.find_many(order_by="id", with_deleted=True, number=None)),
    (Account, lambda r: r.find_unique(email="g@example.com", with_deleted=True)),
    (Category, lambda r: r.find_many(order_by="id", include=["children.children", "parent.parent", "parent.children"])),
    (Product, lambda r: r.find_many(extra={"a": [1]}, team=Team.RED, include="owner")),
    (Product, lambda r: r.find_many(team="GREEN")),
    (
        Tag,
        lambda r: r.find_many(order_by="id", include={"posts": {"where": Post.published.is_(True), "order_by": "-id"}}),
    ),
]


@pytest.mark.usefixtures("rows")
def test_both_ways(blog_engine: Engine, by_session: Engine) -> None:
    """A plan answers each call as a session does, in all that its objects show, and with the same errors."""
    for model, call in CALLS * 2:
        expected = outcome(Repository(by_session, model), call)
        assert expected == outcome(Repository(blog_engine, model), call)


WHERE: dict[str, Callable[[int], tuple[Any, ...]]] = {
    "none": lambda _: (),
    "one": lambda value: (Post.title >= f"T{value}",),
    "two": lambda value: (Post.title != f"T{value}", Post.author.has(User.id == "ada")),
    "any": lambda value: (Post.comments.any(Comment.stars > value),),
    "all": lambda _: (true(),),
}
NESTED = st.fixed_dictionaries(
    {},
    optional={
        "where": st.integers(0, 3).map(lambda stars: Comment.stars >= stars),
        "order_by": st.sampled_from(["-stars", "text", ["text", "-id"]]),
        "take": st.integers(0, 3),
        "with_deleted": st.booleans(),
        "include": st.sampled_from(["account", ["account.comments"], "post.author"]),
    },
)
INCLUDES = st.fixed_dictionaries(
    {},
    optional={
        "comments": st.booleans() | NESTED,
        "author": st.booleans(),
        "tags": st.booleans() | st.fixed_dictionaries({"take": st.integers(0, 2)}),
        "author.posts": st.just(value=True),
        "tags.posts.comments": st.just(value=True),
    },
)
MANY_CALLS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.usefixtures("rows")
@MANY_CALLS
@given(
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
    blog_engine: Engine, by_session: Engine, where: tuple[str, int], options: dict[str, Any]
) -> None:
    """Conditions, orders, limits and trees in any combination, each value after another in the same plan."""
    kind, value = where

    def call(repository: Repository[Any]) -> object:
        return repository.find_many(*WHERE[kind](value), **options)

    assert outcome(Repository(by_session, Post), call) == outcome(Repository(blog_engine, Post), call)


WRITES: list[tuple[str, type[Any], Call]] = [
    ("create", Tag, lambda r: r.create(name="new")),
    ("create", Account, lambda r: r.create(Account(email="new@example.com"))),
    ("update", Account, lambda r: r.update({"email": "new@example.com"}, age=7)),
    ("upsert", Account, lambda r: r.upsert({"number": "9"}, create={"email": "n@example.com"}, update={"age": 1})),
    ("upsert", Account, lambda r: r.upsert({"number": "9"}, create={"email": "n@example.com"}, update={"age": 1})),
    ("upsert", Product, lambda r: r.upsert({"team": Team.RED, "number": 1}, create={"extra": None}, update={})),
    ("delete", Account, lambda r: r.delete({"number": "1"})),
    ("delete", Tag, lambda r: r.delete({"name": "new"})),
    ("restore", Account, lambda r: r.restore({"number": "1"})),
    ("update_many", Post, lambda r: r.update_many(Post.published.is_(True), title="new", content=Post.title + "!")),
    ("update_many", Product, lambda r: r.update_many(Product.number == 1, extra=None)),
    ("delete_many", Account, lambda r: r.delete_many(Account.number == "9")),
    ("delete_many", Comment, lambda r: r.delete_many(Comment.stars > 0, hard=True)),
    ("delete_many", Comment, lambda r: r.delete_many(all=True)),
    ("delete_many", Category, lambda r: r.delete_many(Category.parent_id > 1)),
    ("page", Post, lambda r: r.page(order_by="id", size=2, with_total=True, include="comments.account")),
    ("aggregate", Post, lambda r: r.aggregate(n=func.count())),
    ("group_by", Post, lambda r: r.group_by("title", n=func.count())),
    ("find_unique", User, lambda r: r.find_unique(email="ada@example.com")),
    ("find_many", Post, lambda r: r.find_many(order_by="id", include=["author", "comments.account", "tags.posts"])),
    ("count", Post, lambda r: r.count(published=True)),
    ("exists", Post, lambda r: r.exists(Post.title == "T1")),
]


@pytest.mark.usefixtures("rows")
def test_one_round_trip(blog_url: str, logged: Callable[[], list[logging.LogRecord]]) -> None:
    """Each call is one statement, in one round trip once it is prepared, with whatever is included."""
    engine = create_engine(blog_url, query_log=True, pool_size=1, max_overflow=0)
    for method, model, call in WRITES:
        call(Repository(engine, model))
        assert [vars(record)["rows"] is not None for record in logged()] == [True], method
    changes = {"create", "update", "upsert", "delete", "restore"}
    for method, model, call in WRITES:
        if method not in changes:
            call(Repository(engine, model))
            assert [vars(record)["round_trips"] for record in logged()] == [1], method
    engine.dispose()


@pytest.mark.usefixtures("rows")
def test_a_plan_is_made_once(blog_engine: Engine) -> None:
    """Calls that differ in their values alone have one plan, of each repository of the model."""
    plans = plans_of(describe(Post), blog_engine.dialect)

    def call(number: int) -> None:
        Repository(blog_engine, Post).find_many(
            Post.title != f"T{number}",
            order_by="id",
            take=31 + number,
            include={"comments": {"where": Comment.stars > number}},
        )

    call(1)
    built = plans.built
    for number in range(5):
        call(number)
    assert plans.built == built
    assert "SELECT posts.id" in plans.shown()


@pytest.mark.usefixtures("rows")
def test_a_row_of_figures(blog_engine: Engine, by_session: Engine) -> None:
    """Its values are known by position, by name, and by what they were asked for with; it can be pickled."""
    for engine in (by_session, blog_engine):
        posts, products = Repository(engine, Post), Repository(engine, Product)
        row = posts.group_by(["title", Post.published], n=func.count(), order_by=["title", Post.published])[0]
        assert (row[0], row.title, row._mapping[Post.title], row._mapping["title"]) == ("T0",) * 4
        assert row._mapping[Post.__table__.c.published] is row.published is False
        assert (row.n, row._fields) == (1, ("title", "published", "n"))
        assert pickle.loads(pickle.dumps(row)) == ("T0", False, 1)  # noqa: S301 - our own
        assert products.group_by("extra", n=func.count())[0].extra == {"a": [1]}


def test_plans_are_bounded(blog_engine: Engine, logged: object) -> None:
    """An application that makes up shapes without an end does not fill the memory."""
    assert logged
    plans: Plans[Any] = Plans(describe(Tag), blog_engine.dialect)
    found = plans_of(describe(Tag), blog_engine.dialect)
    Repository(blog_engine, Tag).count()
    planned = next(one for one in found._known.values() if not isinstance(one, str))
    for number in range(MOST + 5):
        plans.find(Shape(number), lambda: planned)
    assert len(plans._known) == MOST


def test_the_version_of_sqlalchemy() -> None:
    """Half-private names of SQLAlchemy are used, which were tried with these versions alone."""
    tried = internals.is_tried()
    assert tried, "Run the tests of repositories with this SQLAlchemy, look at internals.py, and add the version there."


@pytest.mark.usefixtures("db")
def test_another_version_of_sqlalchemy(
    blog_url: str, logged: Callable[[], list[logging.LogRecord]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a version that nobody has tried, calls go through a session, and the query log says why."""
    engine = create_engine(blog_url, query_log=True)
    monkeypatch.setattr(sqlalchemy, "__version__", "2.2.0")
    assert Repository(engine, Tag).count() == 0
    engine.dispose()
    why = "Tag.count goes through a session: plans were tried with SQLAlchemy 2.1 alone."
    assert logged()[0].getMessage() == why


def test_a_new_parameter_that_has_no_value(blog_engine: Engine, by_session: Engine) -> None:
    """It is refused as ever."""
    call: Call = lambda r: r.find_many(Post.title == bindparam("title"))  # noqa: E731 - as above
    assert outcome(Repository(by_session, Post), call) == outcome(Repository(blog_engine, Post), call)


def test_an_unreadable_value(db: orm.Session, blog_engine: Engine, by_session: Engine) -> None:
    """What Python cannot hold is reported with its column; a write says that it was made."""
    Repository(blog_engine, Account).create(id="x", email="x@example.com")
    db.execute(text("UPDATE accounts SET created_at = 'infinity'"))
    call: Call = lambda r: r.get(id="x")  # noqa: E731 - as above
    assert outcome(Repository(by_session, Account), call) == outcome(Repository(blog_engine, Account), call)
    with pytest.raises(RepositoryError, match=r"created_at holds a value .* The row was written\."):
        Repository(blog_engine, Account).update({"id": "x"}, age=9)
    assert db.scalar(text("SELECT age FROM accounts")) == 9
