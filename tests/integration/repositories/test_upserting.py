"""Upserting one row."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update
from tests.integration.repositories.conftest import Account, Product, Team, Work

from pgauthkit.errors import InvalidEmailError, NotAUniqueKeyError, RepositoryError, UniqueViolationError
from pgauthkit.models import User

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.in_session
def test_insert_then_update(work: Work) -> None:
    """The first inserts, the second updates the columns it is told to; each is one INSERT … ON CONFLICT."""
    accounts = work.of(Account)
    key = {"number": "1"}
    first = accounts.upsert(key, create={"email": "ada@example.com"}, update={"age": 1})
    assert (first.email, first.age) == ("ada@example.com", 0)
    work.call(lambda: work.db.execute(update(Account).values(updated_at=LONG_AGO)))
    work.sent()
    second = accounts.upsert(key, create={"email": "grace@example.com"}, update={"age": 1})
    assert (first, "ada@example.com", 1) == (second, second.email, second.age)
    assert second.updated_at > LONG_AGO
    (statement,) = work.sent()
    assert statement.startswith("INSERT INTO accounts")
    assert "ON CONFLICT (number) DO UPDATE" in statement


@pytest.mark.in_session
def test_an_empty_update(work: Work) -> None:
    """The row is returned as it is, and `updated_at` stays; it is one statement as well."""
    product = work.of(Product).create(team=Team.RED, number=1)
    work.call(lambda: work.db.execute(update(Product).values(updated_at=LONG_AGO)))
    work.sent()
    assert product is work.of(Product).upsert({"team": Team.RED, "number": 1}, create={"price": 5}, update={})
    assert (product.updated_at, product.price, len(work.sent())) == (LONG_AGO, Decimal(0), 1)


def test_unique_unless_deleted(work: Work) -> None:
    """A deleted row is not in the way of a new one, by the partial index."""
    accounts = work.of(Account)
    key = {"email": "ada@example.com"}
    deleted = accounts.delete({"id": accounts.upsert(key, create={}, update={}).id})
    new = accounts.upsert(key, create={"age": 3}, update={"age": 4})
    assert (new.age, accounts.upsert(key, create={}, update={"age": 4}).age) == (3, 4)
    assert (deleted.age, accounts.count(with_deleted=True)) == (0, 2)


@pytest.mark.parametrize("change", [{}, {"age": 5}])
def test_a_deleted_row_in_the_way(work: Work, change: dict[str, Any]) -> None:
    """By a key that counts deleted rows, a deleted row is neither revived nor changed in secret."""
    accounts = work.of(Account)
    deleted = accounts.delete({"id": accounts.create(email="ada@example.com", number="1").id})
    with pytest.raises(UniqueViolationError, match="is deleted: restore it") as error:
        accounts.upsert({"number": "1"}, create={"email": "x"}, update=change)
    assert error.value.columns == ("number",)
    assert accounts.get(id=deleted.id, with_deleted=True).age == 0


@pytest.mark.in_session
def test_the_key_is_validated(work: Work, user: User) -> None:
    """Validators apply to the key, to what is created and to what is updated."""
    assert user is work.users.upsert({"email": "ADA@example.com"}, create={}, update={})
    with pytest.raises(InvalidEmailError):
        work.users.upsert({"email": "nobody"}, create={}, update={})
    with pytest.raises(InvalidEmailError):
        work.users.upsert({"id": user.id}, create={"email": "x@example.com"}, update={"email": "nobody"})


def test_another_key_in_the_way(work: Work, user: User) -> None:
    """Only the key given is upserted by; another one is violated as ever."""
    with pytest.raises(UniqueViolationError) as error, work.savepoint():
        work.users.upsert({"id": "other"}, create={"email": user.email}, update={})
    assert (error.value.constraint, error.value.columns) == ("uq_users_email", ("email",))


@pytest.mark.parametrize(
    ("key", "create", "change", "kind"),
    [
        ({"age": 1}, {}, {}, NotAUniqueKeyError),
        ({"number": None}, {}, {}, NotAUniqueKeyError),
        ({"number": "1"}, {"number": "2"}, {}, RepositoryError),
        ({"number": "1"}, {"nope": "2"}, {}, RepositoryError),
        ({"number": "1"}, {}, {"nope": 2}, RepositoryError),
    ],
)
def test_refused_before_any_sql(
    work: Work, key: dict[str, Any], create: dict[str, Any], change: dict[str, Any], kind: type[RepositoryError]
) -> None:
    """What contradicts itself, or names no key, is refused."""
    with pytest.raises(kind):
        work.of(Account).upsert(key, create=create, update=change)
    assert work.sent() == []
