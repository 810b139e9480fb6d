"""The examples of the database guide that users of Prisma know, line by line."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import update
from tests.integration.repositories.conftest import Account, Post, Product, Team, Work, related

from pgauthkit.errors import NotFoundError
from pgauthkit.models import Session, User, UserRole

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def verbs(work: Work) -> list[str]:
    return [statement.split()[0] for statement in work.sent()]


def test_create_a_post(work: Work, user: User) -> None:
    """`prisma.post.create({data: {title, content, authorId}})` is `create`, in one statement."""
    post = work.of(Post).create(title="Hello World", content="My first post", author_id=user.id)

    assert verbs(work) == ["INSERT"]
    assert ("Hello World", "My first post", user.id) == (post.title, post.content, post.author_id)
    assert (post.id[0], len(post.id), post.published) == ("c", 25, False)
    assert post.created_at == post.updated_at


@pytest.mark.in_session
def test_query_with_relations(work: Work, user: User) -> None:
    """`prisma.user.findUnique({where: {id}, include: {posts: true}})` is `find_unique`, in one statement."""
    post = work.of(Post).create(title="Hello World", content="My first post", author_id=user.id)
    work.sent()

    user_with_posts = work.users.find_unique(id=user.id, include=["posts"])

    assert verbs(work) == ["WITH"]
    assert [post] == related(user_with_posts, "posts")


def test_updated_at_moves(work: Work, user: User) -> None:
    """`@updatedAt` moves with each update, and `createdAt` stays."""
    post = work.of(Post).create(title="Hello World", content="My first post", author_id=user.id)
    work.call(lambda: work.db.execute(update(Post).values(created_at=LONG_AGO, updated_at=LONG_AGO)))

    updated = work.of(Post).update({"id": post.id}, published=True)

    assert updated.created_at == LONG_AGO
    assert updated.updated_at > LONG_AGO


@pytest.mark.in_session
def test_deleting_the_user_deletes_sessions_and_posts(work: Work, user: User) -> None:
    """`onDelete: Cascade` is the database's: with the user go the sessions and the posts."""
    work.of(Post).create(title="Hello World", content="My first post", author_id=user.id)
    future = datetime(2099, 1, 1, tzinfo=UTC)
    moments = dict.fromkeys(["authenticated_at", "last_used_at", "access_expires_at", "idle_expires_at"], future)
    hashes = dict.fromkeys(["selector_hash", "access_token_hash", "refresh_token_hash"], b"0")
    work.of(Session).create(user_id=user.id, expires_at=future, **moments, **hashes)

    assert user is work.users.delete({"id": user.id})

    assert (work.users.count(), work.of(Post).count(), work.of(Session).count()) == (0, 0, 0)


@pytest.mark.in_session
def test_data_types(work: Work) -> None:
    """`@default(cuid())`, `@unique`, `Decimal(10, 2)` and `Json?` have their counterparts."""
    product = work.of(Product).create(team=Team.RED, number=1, price=Decimal("9.90"), extra={"colours": ["red", None]})

    found = work.of(Product).get(team=Team.RED, number=1)

    assert found is product
    assert (Decimal("9.90"), {"colours": ["red", None]}) == (found.price, found.extra)


@pytest.mark.in_session
def test_soft_delete(work: Work) -> None:
    """`deletedAt` and `where: {deletedAt: null}` come with `SoftDelete`, and the address can be used again."""
    accounts = work.of(Account)
    ada = accounts.create(email="ada@example.com")
    grace = accounts.create(email="grace@example.com")

    deleted = accounts.delete({"id": ada.id})

    assert deleted.deleted_at is not None
    assert [grace] == accounts.find_many()
    assert [grace] == accounts.find_many(deleted_at=None)
    assert [ada, grace] == accounts.find_many(with_deleted=True, order_by="email")
    assert accounts.create(email="ada@example.com").id != ada.id


def test_upsert_the_admin(work: Work) -> None:
    """`prisma.user.upsert` with an empty update makes the admin once, and leaves it alone the second time."""
    users = work.users

    admin = users.upsert(
        {"email": "admin@example.com"}, update={}, create={"email": "admin@example.com", "role": UserRole.ADMIN}
    )
    assert verbs(work) == ["INSERT"]
    work.call(lambda: work.db.execute(update(User).values(updated_at=LONG_AGO)))
    again = users.upsert({"email": "admin@example.com"}, update={}, create={"role": UserRole.USER})

    assert (admin.id, UserRole.ADMIN, LONG_AGO) == (again.id, again.role, again.updated_at)
    assert users.count() == 1


def test_records_that_are_not_there(work: Work) -> None:
    """P2025: to update or delete what is not there is an error with a name; to look for it is not."""
    assert work.of(Post).find_unique(id="nobody") is None
    with pytest.raises(NotFoundError) as update_error:
        work.of(Post).update({"id": "nobody"}, title="New")
    with pytest.raises(NotFoundError):
        work.of(Post).delete({"id": "nobody"})
    assert update_error.value.table == "posts"
