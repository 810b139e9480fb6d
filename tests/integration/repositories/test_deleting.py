"""Deleting, softly and for good, and restoring."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, true
from tests.integration.repositories.conftest import Account, Comment, Post, Work

from pgauthkit.errors import (
    ForeignKeyViolationError,
    NotAUniqueKeyError,
    NotFoundError,
    RepositoryError,
    UniqueViolationError,
)
from pgauthkit.models import User
from pgauthkit.repositories import Repository


@pytest.fixture
def accounts(work: Work) -> Repository[Account]:
    """Ada, who is deleted, and Grace."""
    accounts = work.of(Account)
    accounts.delete({"id": accounts.create(email="ada@example.com", number="1").id})
    accounts.create(email="grace@example.com", number="2")
    work.sent()
    return accounts


@pytest.mark.in_session
def test_reads_hide_deleted_rows(accounts: Repository[Account]) -> None:
    """Every read hides them, and shows them with `with_deleted`."""
    ada = accounts.get(number="1", with_deleted=True)
    reads: list[tuple[Callable[[bool], object], object, object]] = [
        (lambda deleted: accounts.find_unique(id=ada.id, with_deleted=deleted), None, ada),
        (lambda deleted: accounts.find_first(number="1", with_deleted=deleted), None, ada),
        (lambda deleted: len(accounts.find_many(with_deleted=deleted)), 1, 2),
        (lambda deleted: accounts.count(with_deleted=deleted), 1, 2),
        (lambda deleted: accounts.exists(number="1", with_deleted=deleted), False, True),
        (lambda deleted: len(accounts.page(order_by="email", size=9, with_deleted=deleted).items), 1, 2),
        (lambda deleted: accounts.page(order_by="id", size=1, with_deleted=deleted, with_total=True).total, 1, 2),
        (lambda deleted: accounts.aggregate(with_deleted=deleted, n=func.count()).n, 1, 2),
        (lambda deleted: len(accounts.group_by("email", with_deleted=deleted, n=func.count())), 1, 2),
    ]
    assert [(hidden, shown) for _, hidden, shown in reads] == [(read(False), read(True)) for read, _, _ in reads]


@pytest.mark.in_session
def test_one_statement_each(accounts: Repository[Account], work: Work) -> None:
    """Delete, restore and delete for good are one statement each, and return the row."""
    grace = accounts.get(number="2")
    work.sent()
    assert accounts.delete({"id": grace.id}).deleted_at is not None
    assert accounts.restore({"id": grace.id}).deleted_at is None
    assert grace is accounts.delete({"id": grace.id}, hard=True)
    assert [statement.split()[0] for statement in work.sent()] == ["UPDATE", "UPDATE", "DELETE"]
    assert accounts.find_unique(id=grace.id, with_deleted=True) is None


def test_a_deleted_row_is_not_there(accounts: Repository[Account]) -> None:
    """It cannot be updated or deleted again; but restored, or deleted for good."""
    ada = accounts.get(number="1", with_deleted=True)
    with pytest.raises(NotFoundError):
        accounts.update({"id": ada.id}, age=7)
    with pytest.raises(NotFoundError):
        accounts.delete({"id": ada.id})
    assert accounts.delete({"id": ada.id}, hard=True).email == "ada@example.com"


@pytest.mark.in_session
def test_restoring_what_is_not_deleted(accounts: Repository[Account]) -> None:
    """It stays as it is; and what is not there is not found."""
    grace = accounts.get(number="2")
    assert grace is accounts.restore({"number": "2"})
    with pytest.raises(NotFoundError):
        accounts.restore({"number": "3"})


def test_restoring_what_has_been_replaced(accounts: Repository[Account], work: Work) -> None:
    """Its address was taken meanwhile."""
    accounts.create(email="ada@example.com")
    with pytest.raises(UniqueViolationError) as error, work.savepoint():
        accounts.restore({"number": "1"})
    assert error.value.columns == ("email",)


@pytest.mark.parametrize(
    "write",
    [
        lambda accounts: accounts.restore({"email": "ada@example.com"}),
        lambda accounts: accounts.delete({"email": "ada@example.com"}, hard=True),
    ],
)
def test_a_key_that_is_unique_unless_deleted(
    accounts: Repository[Account], work: Work, write: Callable[[Repository[Account]], object]
) -> None:
    """Several deleted rows may have it, so it does not say which of them to restore, or to delete for good."""
    with pytest.raises(NotAUniqueKeyError, match="unique only among the rows that are not deleted"):
        write(accounts)
    assert work.sent() == []


def test_restore_needs_a_soft_delete(work: Work) -> None:
    """Other models forget what was deleted."""
    with pytest.raises(RepositoryError, match="Post is no SoftDelete"):
        work.of(Post).restore({"id": "x"})


def test_delete_many(accounts: Repository[Account], work: Work) -> None:
    """Softly, then for good; in one statement each, and deleted rows count only for good."""
    accounts.create_many({"email": f"{n}@example.com"} for n in range(3))
    work.sent()
    assert accounts.delete_many(Account.number.is_(None)) == 3
    assert accounts.delete_many(Account.number.is_(None)) == 0
    assert accounts.delete_many(Account.number.is_(None), hard=True) == 3
    assert len(work.sent()) == 3
    assert accounts.delete_many(all=True) == 1
    assert accounts.delete_many(true(), hard=True) == 2
    assert accounts.count(with_deleted=True) == 0


@pytest.mark.parametrize(("where", "everything"), [((), False), ((Account.age > 1,), True)])
def test_an_empty_filter(work: Work, where: tuple[object, ...], *, everything: bool) -> None:
    """Everything is deleted only on demand, and a condition beside the demand is a contradiction."""
    with pytest.raises(RepositoryError, match="delete_many of Account takes conditions, or else all=True"):
        work.of(Account).delete_many(*where, all=everything)  # type: ignore[arg-type]
    assert work.sent() == []


def test_the_same_key_again(work: Work, user: User) -> None:
    """After a deletion for good the key is free, also for a session that still holds the object."""
    posts = work.of(Post)
    held = posts.create(id="c1", title="One", content="", author_id=user.id)
    assert posts.delete_many(Post.title == "One") == 1
    again = posts.create(id="c1", title="Two", content="", author_id=user.id)
    posts.delete({"id": "c1"})
    third = posts.create(id="c1", title="Three", content="", author_id=user.id)
    assert (len({held, again, third}), posts.get(id="c1").title) == (3, "Three")
    work.call(work.db.expunge_all)
    assert posts.delete_many(Post.title == "Three") == 1


def test_what_is_still_referred_to(accounts: Repository[Account], work: Work, user: User) -> None:
    """The foreign keys of the database decide."""
    grace = accounts.get(number="2")
    post = work.of(Post).create(title="First", content="", author_id=user.id)
    work.of(Comment).create(text="c", post_id=post.id, account_id=grace.id)
    for refuse in (
        lambda: accounts.delete({"id": grace.id}, hard=True),
        lambda: accounts.delete_many(all=True, hard=True),
    ):
        with pytest.raises(ForeignKeyViolationError) as error, work.savepoint():
            refuse()
        assert (error.value.table, error.value.columns) == ("comments", ("account_id",))
