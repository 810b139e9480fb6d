"""Objects that came by a plan: SQLAlchemy knows of them what it knows of any object that is in no session."""

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from sqlalchemy import Engine, ForeignKey, inspect, orm
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.collections import InstrumentedList
from tests.integration.repositories.conftest import Post, engine_work

from pgauthkit.errors import RepositoryError
from pgauthkit.models import User
from pgauthkit.repositories import Repository
from pgauthkit.repositories.generic.plans.detached import MARK

STATE = "_sa_instance_state"


@pytest.fixture
def db(blog_engine: Engine) -> Iterator[orm.Session]:
    """A session in autocommit beside the repositories, after which no row is left."""
    with engine_work(blog_engine) as work:
        yield work.db


@pytest.fixture
def post(db: orm.Session, blog_engine: Engine) -> Post:
    """A post as it was read, which nothing has touched yet."""
    db.add(Post(id="p", title="A", content="", author=User(id="ada", email="ada@example.com")))
    db.flush()
    db.expunge_all()
    found = Repository(blog_engine, Post).get(id="p")
    assert STATE not in vars(found)
    return found


def test_the_state_is_made_when_it_is_asked_for(post: Post) -> None:
    """Columns are read without it; then it is that of a detached object."""
    assert (post.title, post.published) == ("A", False)
    assert MARK in vars(post)
    assert inspect(post).detached
    assert inspect(post).key == (Post, ("p",), None)
    assert MARK not in vars(post)
    assert inspect(post) is inspect(post)
    with pytest.raises(RepositoryError, match=r"Post\.author was not loaded: ask with include=\['author'\]"):
        _ = post.author


def test_a_change_is_written(post: Post, db: orm.Session, blog_engine: Engine) -> None:
    """What is assigned before the session has the object is written by it."""
    post.title = "B"
    db.add(post)
    flag_modified(post, "content")
    assert inspect(post).modified
    db.flush()
    assert Repository(blog_engine, Post).get(id="p").title == "B"


def test_a_collection_is_watched(post: Post, db: orm.Session, blog_engine: Engine) -> None:
    """What is added to a collection that was included is written, too."""
    assert post.id
    ada = cast("Any", Repository(blog_engine, User).get(id="ada", include="posts"))
    ada.posts.append(Post(id="q", title="B", content=""))
    db.add(ada)
    db.flush()
    assert Repository(blog_engine, Post).get(id="q").author_id == "ada"


def test_a_collection_of_an_object_that_nothing_has_touched(post: Post, db: orm.Session, blog_engine: Engine) -> None:
    """It is a list of SQLAlchemy's as soon as it is changed, copied or asked for, with or without its owner."""
    ada = cast("Any", Repository(blog_engine, User).get(id="ada", include="posts"))
    assert [one.id for one in ada.posts] == [post.id]
    other = pickle.loads(pickle.dumps(ada))  # noqa: S301 - our own
    other.posts.append(Post(id="o", title="O", content=""))
    assert [[one.id for one in part] for part in inspect(other).attrs.posts.history] == [["o"], ["p"], []]
    assert [one.id for one in ada.posts] == ["p"]
    assert copy.deepcopy(ada).posts[0] is not ada.posts[0]
    alone = cast("Any", Repository(blog_engine, User).get(id="ada", include="posts")).posts
    assert [one.id for one in pickle.loads(pickle.dumps(alone))] == ["p"]  # noqa: S301 - our own
    alone.append(Post(id="r", title="R", content=""))
    again = cast("Any", Repository(blog_engine, User).get(id="ada", include="posts"))
    assert inspect(again).attrs.posts.history.unchanged == again.posts
    again.posts.append(Post(id="q", title="Q", content=""))
    assert type(again.posts) is InstrumentedList
    db.add(again)
    db.flush()
    assert Repository(blog_engine, Post).get(id="q").author_id == "ada"


def test_copies(post: Post) -> None:
    """A copy, a deep one, and one through pickle are objects of their own."""
    for other in (copy.copy(post), copy.deepcopy(post), pickle.loads(pickle.dumps(post))):  # noqa: S301 - our own
        other.title = "B"
        assert post.title == "A"
        assert inspect(other).detached
        assert inspect(other) is not inspect(post)
        with pytest.raises(RepositoryError, match=r"Post\.author was not loaded"):
            _ = other.author


def test_a_merge(post: Post, db: orm.Session) -> None:
    """A session takes it over without reading, and finds nothing to write."""
    merged = db.merge(post, load=False)
    assert merged in db
    assert not db.dirty
    assert db.get(Post, "p") is merged


def test_threads(post: Post) -> None:
    """Several that ask at once get one state."""
    with ThreadPoolExecutor(4) as pool:
        assert len({id(state) for state in pool.map(inspect, [post] * 32)}) == 1


def test_a_new_object() -> None:
    """The class is as it was for objects that the application makes."""
    new = Post(title="A")
    assert inspect(new).transient
    assert not hasattr(Post, STATE)
    assert not hasattr(object.__new__(Post), STATE)


def test_a_relation_that_is_added_later(db: orm.Session, blog_engine: Engine) -> None:
    """A plan that was made before does not know it, and is made again."""

    class LaterBase(DeclarativeBase): ...

    class Later(LaterBase):
        __tablename__ = "later"

        id: Mapped[int] = mapped_column(primary_key=True)
        parent_id: Mapped[int | None] = mapped_column(ForeignKey("later.id"))

    LaterBase.metadata.create_all(db.connection())
    found = Repository(blog_engine, Later).create(id=1)
    assert Repository(blog_engine, Later).get(id=1).id == found.id
    Later.parent = orm.relationship(Later, remote_side=Later.id)
    again = cast("Any", Repository(blog_engine, Later).get(id=1))
    with pytest.raises(RepositoryError, match=r"Later\.parent was not loaded"):
        _ = again.parent
