"""What is included is there; what is not raises when touched, and says what to include."""

import pickle
from typing import Any

import pytest
from sqlalchemy import ForeignKey, event, insert, orm, update
from sqlalchemy.orm import DeclarativeBase, DynamicMapped, Mapped, WriteOnlyMapped, mapped_column, relationship
from tests.integration.repositories.conftest import (
    Account,
    Category,
    Comment,
    Post,
    Tag,
    Work,
    post_tags,
    related,
)

from pgauthkit.errors import RepositoryError
from pgauthkit.models import User, UserRole
from pgauthkit.repositories import Include


class Blog:
    """Two posts of Ada; the first with the comments c1 (3 stars), c2 (2), c3 (1) by Bob, c3 deleted, and two tags."""

    def __init__(self, work: Work, user: User) -> None:
        self.user = user
        self.bob = work.of(Account).create(email="bob@example.com")
        # Named, because identifiers of the same millisecond sort by chance.
        self.first = work.of(Post).create(id="p1", title="First", content="…", author_id=user.id)
        self.second = work.of(Post).create(id="p2", title="Second", content="…", author_id=user.id)
        self.comments = [
            work.of(Comment).create(id=text, text=text, stars=stars, post=self.first, account=self.bob)
            for text, stars in (("c1", 3), ("c2", 2), ("c3", 1))
        ]
        work.of(Comment).delete({"id": self.comments[-1].id})
        self.tags = [work.of(Tag).create(name=name) for name in ("sql", "orm")]
        links = [{"post_id": self.first.id, "tag_id": tag.id} for tag in self.tags]
        work.call(lambda: work.db.execute(insert(post_tags), links))
        work.sent()


@pytest.fixture
def blog(work: Work, user: User) -> Blog:
    return Blog(work, user)


def texts(post: Post) -> list[str]:
    return [comment.text for comment in post.comments]


@pytest.mark.in_session
@pytest.mark.parametrize(
    ("model", "include"), [(Post, "author"), (Comment, "post.author"), (Account, "comments.post.author")]
)
def test_an_object_that_comes_along_shows_what_is_there_now(
    work: Work, user: User, model: type[Any], include: str
) -> None:
    """Also where it is the only one that the session had, and whatever led to it is new."""
    account = work.of(Account).create(email="bob@example.com").id
    work.of(Post).create_many([{"id": "p", "title": "First", "content": "", "author_id": user.id}])
    work.of(Comment).create_many([{"text": "c", "stars": 1, "post_id": "p", "account_id": account}])
    statement = update(User).values(role=UserRole.ADMIN).execution_options(synchronize_session=False)
    work.call(lambda: work.db.execute(statement))
    (found,) = work.of(model).find_many(include=include)
    for name in include.split("."):
        found = getattr(found, name)[0] if name == "comments" else getattr(found, name)
    assert found is user
    assert user.role is UserRole.ADMIN


@pytest.mark.parametrize(
    "include",
    [
        (),
        "author",
        {"author"},
        ["comments"],
        ["author", "comments", "tags"],
        ["comments", "comments.account", "comments.post"],
        {"comments": False, "author": True},
    ],
)
def test_one_statement_with_whatever_is_included(blog: Blog, work: Work, include: Include) -> None:
    """What is included comes with the statement itself, in a session as on an engine."""
    work.of(Post).find_many(include=include)
    assert len(work.sent()) == 1
    work.of(Post).get(id=blog.first.id, include=include)
    assert len(work.sent()) == 1


@pytest.mark.parametrize(
    ("include", "statements"),
    [("author", 1), (["comments"], 2), (["author", "comments", "tags"], 3), (["comments.account", "comments.post"], 2)],
)
@pytest.mark.in_session
def test_one_statement_and_one_for_each_collection(blog: Blog, work: Work, include: Include, statements: int) -> None:
    """Where a session has to load it, to-one relations come with a join, and a collection with a statement."""
    event.listen(work.db, "do_orm_execute", lambda _: None)
    work.of(Post).find_many(include=include)
    assert len(work.sent()) == statements
    work.of(Post).get(id=blog.first.id, include=include)
    assert len(work.sent()) == statements


def test_a_collection_of_nobody(work: Work) -> None:
    """Without a row, nothing more is asked for."""
    assert work.of(Post).find_many(include=["comments.account.comments", "author"]) == []
    assert len(work.sent()) == 1


@pytest.mark.in_session
def test_both_sides(blog: Blog, work: Work) -> None:
    """A host's relation to User works from both sides, each collection in the order of the primary key."""
    user = work.users.get(id=blog.user.id, include=["posts.author"])
    assert [blog.first, blog.second] == related(user, "posts")
    assert [user, user] == [post.author for post in related(user, "posts")]


@pytest.mark.usefixtures("blog")
def test_many_to_many(work: Work) -> None:
    """A relation through a table of its own, in the order that the relation has."""
    first, second = work.of(Post).find_many(order_by="title", include=["tags.posts"])
    assert [[tag.name for tag in post.tags] for post in (first, second)] == [["sql", "orm"], []]
    assert [first] == first.tags[0].posts


def test_to_itself(work: Work) -> None:
    """A relation from a model to itself, up and down."""
    categories = work.of(Category)
    categories.create_many([{"id": 1}, {"id": 2, "parent_id": 1}, {"id": 3, "parent_id": 1}, {"id": 4, "parent_id": 2}])
    root = categories.get(id=1, include=["children.children.parent"])
    assert [(child.id, [leaf.id for leaf in child.children]) for child in root.children] == [(2, [4]), (3, [])]
    assert root.children[0] is root.children[0].children[0].parent
    up = categories.get(id=4, include="parent.parent")
    assert (up.parent and up.parent.id, up.parent and up.parent.parent and up.parent.parent.id) == (2, 1)


@pytest.mark.in_session
def test_where_order_and_take(blog: Blog, work: Work) -> None:
    """A nested mapping chooses among the children, orders them, and takes so many of each parent."""
    posts = work.of(Post)
    work.of(Comment).create_many({"text": f"d{n}", "stars": n, "post_id": blog.second.id} for n in range(5))
    work.sent()
    include: Include = {"comments": {"where": Comment.stars > 0, "order_by": "-stars", "take": 2, "include": "account"}}
    first, second = posts.find_many(order_by="title", include=include)
    assert (texts(first), texts(second)) == (["c1", "c2"], ["d4", "d3"])
    assert blog.bob is first.comments[0].account
    assert len(work.sent()) == 1
    ordered = posts.get(id=blog.second.id, include={"comments": {"order_by": [Comment.stars.desc()]}})
    assert texts(ordered) == ["d4", "d3", "d2", "d1", "d0"]
    chosen = posts.get(id=blog.second.id, include={"comments": {"where": [Comment.stars > 1, Comment.stars < 4]}})
    assert {"d2", "d3"} == set(texts(chosen))
    assert texts(posts.get(id=blog.second.id, include={"comments": {"take": 0}})) == []


def test_take_through_a_table(blog: Blog, work: Work) -> None:
    """So many of each parent also where the relation goes through a table of its own."""
    first = work.of(Post).get(id=blog.first.id, include={"tags": {"take": 1, "order_by": "name"}})
    assert [tag.name for tag in first.tags] == ["orm"]


@pytest.mark.in_session
def test_deleted_rows(blog: Blog, work: Work) -> None:
    """Deleted rows are left out of what is included, from collections and from joins, unless they are asked for."""
    posts, comments = work.of(Post), work.of(Comment)
    assert texts(posts.get(id=blog.first.id, include="comments")) == ["c1", "c2"]
    shown = posts.get(id=blog.first.id, include="comments", with_deleted=True)
    assert sorted(texts(shown)) == ["c1", "c2", "c3"]
    nested = posts.get(id=blog.first.id, include={"comments": {"with_deleted": True, "take": 5}})
    assert len(nested.comments) == 3
    hidden = posts.get(id=blog.first.id, include={"comments": {"with_deleted": False}}, with_deleted=True)
    assert len(hidden.comments) == 2
    work.of(Account).delete({"id": blog.bob.id})
    assert comments.get(id=blog.comments[0].id, include="account").account is None
    assert comments.get(id=blog.comments[0].id, include="account", with_deleted=True).account is blog.bob


def test_a_condition_on_one(blog: Blog, work: Work) -> None:
    """A to-one relation may have a condition; who does not meet it is None."""
    comment = work.of(Comment).get(id=blog.comments[0].id, include={"account": {"where": Account.age > 5}})
    assert comment.account is None


@pytest.mark.in_session
def test_paths_and_mappings_are_merged(blog: Blog, work: Work) -> None:
    """The same relation may be named several times."""
    include: Include = {"comments.account": True, "comments": {"order_by": "-stars"}, "comments.post.author": True}
    post = work.of(Post).get(id=blog.first.id, include=include)
    assert texts(post) == ["c1", "c2"]
    assert (blog.bob, blog.user) == (post.comments[0].account, post.comments[0].post.author)


@pytest.mark.in_session
def test_the_same_object_twice(blog: Blog, work: Work) -> None:
    """What was included near the start stays, where a later statement meets the same object again without it."""
    post = work.of(Post).get(id=blog.first.id, include=["author", "comments.post"])
    assert post is post.comments[0].post
    assert blog.user is post.author
    user = work.users.get(id=blog.user.id, include=["posts.comments.post.author"])
    assert [blog.first, blog.second] == related(user, "posts")


@pytest.mark.parametrize("relation", ["author", "comments", "tags"])
def test_what_was_not_included_raises(blog: Blog, work: Work, relation: str) -> None:
    """Also where the relation would load lazily or eagerly by itself, and where the session has the object already."""
    post = work.of(Post).get(id=blog.first.id)
    work.sent()
    with pytest.raises(RepositoryError) as error:
        related(post, relation)
    assert f"Post.{relation} was not loaded: ask with include=['{relation}']." == str(error.value)
    assert work.sent() == []


def test_the_message_says_the_whole_path(blog: Blog, work: Work) -> None:
    """Below the first level, the path starts at what was asked for."""
    user = work.users.get(id=blog.user.id, include=["posts.comments"])
    with pytest.raises(RepositoryError, match=r"Post.tags was not loaded: ask with include=\['posts.tags'\]"):
        related(related(user, "posts")[0], "tags")
    with pytest.raises(RepositoryError, match=r"include=\['posts.comments.account'\]"):
        related(related(user, "posts")[0].comments[0], "account")


@pytest.mark.in_session
def test_a_later_read_drops_what_it_does_not_include(blog: Blog, work: Work) -> None:
    """An object never shows a relation older than its columns: collections and single objects go alike."""
    post = work.of(Post).get(id=blog.first.id, include=["author", "comments"])
    work.of(Post).update({"id": post.id}, title="New")
    for relation in ("author", "comments"):
        with pytest.raises(RepositoryError, match="was not loaded"):
            related(post, relation)


def test_written_objects_raise_too(work: Work, user: User) -> None:
    """What was created shows what it was given, and raises for the rest; what was upserted raises for everything."""
    post = work.of(Post).create(title="First", content="…", author=user)
    assert user is post.author
    with pytest.raises(RepositoryError, match=r"Post\.comments was not loaded"):
        related(post, "comments")
    account = work.of(Account).upsert({"email": "bob@example.com"}, create={}, update={})
    with pytest.raises(RepositoryError, match=r"Account\.comments was not loaded"):
        related(account, "comments")


def test_relations_can_be_set_without_being_loaded(blog: Blog, work: Work) -> None:
    """SQLAlchemy's own bookkeeping is not disturbed: setting one side, deleting by the session, the next read."""
    bob = work.of(Account).get(id=blog.bob.id)
    comment = work.of(Comment).get(id=blog.comments[0].id)
    comment.account = None
    comment.account = bob
    work.of(Comment).create(text="new", post=blog.second, account=bob)
    found = work.of(Account).get(id=bob.id, include="comments")
    assert sorted(comment.text for comment in found.comments) == ["c1", "c2", "new"]


@pytest.mark.in_session
def test_deleting_by_the_session(work: Work, user: User) -> None:
    """Whoever deletes by the session gets SQLAlchemy's cascades, which load what they need."""
    post = work.of(Post).create(title="First", content="…", author_id=user.id)
    tag = work.of(Tag).create(name="sql", posts=[post])
    found = work.of(Tag).get(id=tag.id)

    def delete() -> None:
        work.db.delete(found)
        work.db.flush()

    work.call(delete)
    assert (work.of(Tag).count(), work.of(Post).count()) == (0, 1)


@pytest.mark.in_session
def test_detached_and_pickled(blog: Blog, work: Work) -> None:
    """Also what has left the session raises."""
    post = work.of(Post).get(id=blog.first.id)
    work.db.expunge(post)
    copied = pickle.loads(pickle.dumps(post))  # noqa: S301 - our own
    for instance in (post, copied):
        with pytest.raises(RepositoryError, match="was not loaded"):
            related(instance, "tags")


def test_sqlalchemy_has_not_changed(work: Work, user: User) -> None:
    """The inner parts of SQLAlchemy that `unloaded` stands on: loaders of single instances, and their flags."""
    post = work.of(Post).create(title="First", content="…", author_id=user.id)
    state = orm.attributes.instance_state(post)
    assert {"author", "comments", "tags"} == set(state.callables)
    assert callable(state.manager["author"].impl.callable_)
    flags = orm.PassiveFlag
    assert flags.PASSIVE_OFF & flags.SQL_OK
    assert not flags.PASSIVE_NO_FETCH & flags.SQL_OK


@pytest.mark.parametrize(
    ("include", "message"),
    [
        (["nope"], "Post has no relation 'nope'; it has: author, comments, tags"),
        (["comments.nope"], "Comment has no relation 'nope'"),
        (["title"], "Post has no relation 'title'"),
        ({"comments": {"limit": 1}}, "Post.comments cannot be included with limit"),
        ({"author": {"take": 1}}, "Post.author leads to one row"),
        ({"author": {"order_by": "email"}}, "Post.author leads to one row"),
        ({"comments": {"where": Post.title == "x"}}, "A condition for Comment is about posts"),
        ({"comments": {"order_by": "nope"}}, "Comment has no column 'nope'"),
        ({"comments": {"take": -1}}, "take is negative"),
    ],
)
def test_what_cannot_be_included(blog: Blog, work: Work, include: Include, message: str) -> None:
    """A wrong include is refused, naming the model."""
    with pytest.raises(RepositoryError, match=message):
        work.of(Post).get(id=blog.first.id, include=include)


def test_a_model_without_relations(work: Work) -> None:
    """The message says that there are none; a relation that is a query of its own is not included."""

    class Base(DeclarativeBase): ...

    class Plain(Base):
        __tablename__ = "plain"
        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(RepositoryError, match="Plain has no relation 'posts'; it has: none"):
        work.of(Plain).find_many(include="posts")


@pytest.mark.in_session
def test_a_relation_that_is_a_query(work: Work) -> None:
    """Dynamic and write-only relations stay what they are, and are not included."""

    class Base(DeclarativeBase): ...

    class Leaf(Base):
        __tablename__ = "leaves"
        id: Mapped[int] = mapped_column(primary_key=True)
        tree_id: Mapped[int] = mapped_column(ForeignKey("trees.id"))

    class Tree(Base):
        __tablename__ = "trees"
        id: Mapped[int] = mapped_column(primary_key=True)
        dynamic: DynamicMapped[Leaf] = relationship(viewonly=True)
        leaves: WriteOnlyMapped[Leaf] = relationship(passive_deletes=True)

    work.call(lambda: Base.metadata.create_all(work.db.connection()))
    tree = work.of(Tree).create(id=1)
    work.of(Leaf).create(id=1, tree_id=1)
    assert tree is work.of(Tree).get(id=1)
    assert work.call(lambda: len(work.db.scalars(tree.leaves.select()).all())) == 1
    assert work.call(lambda: len(tree.dynamic.all())) == 1
    with pytest.raises(RepositoryError, match=r"Tree\.leaves is a query of its own"):
        work.of(Tree).find_many(include="leaves")
