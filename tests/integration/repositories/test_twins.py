"""`Repository` and `AsyncRepository` are one, as are those of users, links and sessions; what each call costs."""

import inspect
from collections.abc import Callable
from typing import get_type_hints

import pytest
from sqlalchemy import func
from tests.integration.repositories.conftest import Account, Work

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

TWINS: list[tuple[type, type]] = [
    (Repository, AsyncRepository),
    (UserRepository, AsyncUserRepository),
    (MagicLinkRepository, AsyncMagicLinkRepository),
    (SessionRepository, AsyncSessionRepository),
]
CONDITIONS = {"is_live", "is_pending"}


def methods_of(repository: type) -> list[str]:
    """Return the names of what a host may call."""
    return sorted(name for name, _ in inspect.getmembers(repository, callable) if not name.startswith("_"))


METHODS = [(sync, awaited, name) for sync, awaited in TWINS for name in methods_of(sync)]


@pytest.mark.parametrize(("sync", "awaited"), TWINS)
def test_each_has_what_the_other_has(sync: type, awaited: type) -> None:
    """Every public method of one is on the other, and nothing else."""
    assert methods_of(sync) == methods_of(awaited)


def test_they_are_what_the_contract_names() -> None:
    """The methods are those of the contract."""
    contract = {
        *("create", "create_many", "find_unique", "get", "find_first", "find_many", "page", "update", "update_many"),
        *("upsert", "upsert_many", "delete", "delete_many", "restore", "count", "exists", "aggregate", "group_by"),
    }
    assert contract == set(methods_of(Repository))


@pytest.mark.parametrize(("sync", "awaited", "name"), METHODS)
def test_signatures(sync: type, awaited: type, name: str) -> None:
    """Arguments, defaults, types and results are the same; one is awaited, unless it only returns a condition."""
    one, other = getattr(sync, name), getattr(awaited, name)
    assert str(inspect.signature(one)) == str(inspect.signature(other))
    assert repr(get_type_hints(one)) == repr(get_type_hints(other))
    assert not inspect.iscoroutinefunction(one)
    assert inspect.iscoroutinefunction(other) == (name not in CONDITIONS)


@pytest.mark.parametrize(("sync", "awaited", "name"), METHODS)
def test_docstrings(sync: type, awaited: type, name: str) -> None:
    """The sync method says everything, with an example; the async one says where to read on."""
    assert "Example:" in (inspect.getdoc(getattr(sync, name)) or "")
    assert f"Repository.{name}`" in (inspect.getdoc(getattr(awaited, name)) or "")


CALLS: dict[str, tuple[Callable[[Repository[Account]], object], str]] = {
    "create": (lambda accounts: accounts.create(email="new"), "INSERT"),
    "create_many": (lambda accounts: accounts.create_many([{"email": "x"}, {"email": "y"}]), "INSERT"),
    "find_unique": (lambda accounts: accounts.find_unique(id="1"), "SELECT"),
    "get": (lambda accounts: accounts.get(id="1"), "SELECT"),
    "find_first": (lambda accounts: accounts.find_first(email="a", order_by="age"), "SELECT"),
    "find_many": (lambda accounts: accounts.find_many(Account.age < 9, take=3, skip=0), "SELECT"),
    "page": (lambda accounts: accounts.page(order_by="-email", size=1, with_total=True), "SELECT"),
    "update": (lambda accounts: accounts.update({"id": "1"}, age=3), "UPDATE"),
    "update_many": (lambda accounts: accounts.update_many(Account.age < 9, age=3), "UPDATE"),
    "upsert": (lambda accounts: accounts.upsert({"email": "a"}, create={}, update={"age": 3}), "INSERT"),
    "upsert_many": (lambda accounts: accounts.upsert_many([{"email": "a", "age": 4}], "email", ["age"]), "INSERT"),
    "delete": (lambda accounts: accounts.delete({"id": "1"}), "UPDATE"),
    "delete_many": (lambda accounts: accounts.delete_many(all=True, hard=True), "DELETE"),
    "restore": (lambda accounts: accounts.restore({"id": "2"}), "UPDATE"),
    "count": (lambda accounts: accounts.count(), "SELECT"),
    "exists": (lambda accounts: accounts.exists(email="a"), "SELECT"),
    "aggregate": (lambda accounts: accounts.aggregate(oldest=func.max(Account.age)), "SELECT"),
    "group_by": (lambda accounts: accounts.group_by("age", n=func.count()), "SELECT"),
}


def test_all_are_counted() -> None:
    """No method of the repository is left out of the next test."""
    assert methods_of(Repository) == sorted(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_one_statement(work: Work, name: str) -> None:
    """Every method is exactly one statement, of the kind one expects."""
    accounts = work.of(Account)
    accounts.create_many([{"id": "1", "email": "a"}, {"id": "2", "email": "b"}])
    accounts.delete({"id": "2"})
    work.sent()
    call, verb = CALLS[name]
    call(accounts)
    assert [verb] == [statement.split()[0] for statement in work.sent()]
