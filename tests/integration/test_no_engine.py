"""What is no engine, in place of one, is refused in words by each public name that takes one."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any, Final, cast

import pytest
from sqlalchemy import make_url, orm
from sqlalchemy.ext.asyncio import async_sessionmaker
from tests.architecture.test_documentation import public_names

from pgauthkit.errors import ConfigError, RepositoryError
from pgauthkit.models import User
from pgauthkit.repositories import transaction

URL: Final = "postgresql://db.example/app"
# What is needed beside the engine, none of it looked at before.
OTHERS: Final[dict[str, Any]] = {
    "model": User,
    "models": [],
    "token": "a",
    "name": "app",
    "message": "a",
    "directory": None,
}
# These hand an engine out, and make none of it.
GIVEN_OUT: Final = {"Replica", "AsyncTransaction", "Transaction", "AsyncAttempt", "Attempt"}


def takes_engine(value: object) -> list[str]:
    """Return the parameters of a public name that are engines."""
    try:
        said = inspect.signature(cast("Callable[..., object]", value))
    except (TypeError, ValueError):  # no function, or one that is made in C
        return []
    names = {"engine", "db", "on", "target"}
    return [name for name, one in said.parameters.items() if name in names and "Engine" in str(one.annotation)]


def public() -> list[tuple[str, Callable[..., object], str]]:
    found: list[tuple[str, Callable[..., object], str]] = []
    for module, name in public_names():
        value: Any = getattr(importlib.import_module(module), name)
        found += [(name, value, parameter) for parameter in takes_engine(value) if name not in GIVEN_OUT]
    return found


@pytest.mark.parametrize("wrong", [make_url(URL), orm.sessionmaker(), async_sessionmaker(), None, 5])
@pytest.mark.parametrize(("name", "value", "parameter"), [pytest.param(*one, id=one[0]) for one in public()])
def test_no_engine(name: str, value: Callable[..., object], parameter: str, wrong: object) -> None:
    """The error is ours, and names what was given."""
    needed: dict[str, Any] = {
        one: OTHERS.get(one, "0001")
        for one, said in inspect.signature(value).parameters.items()
        if said.default is said.empty and said.kind is not said.VAR_KEYWORD and one != parameter
    }
    with pytest.raises((ConfigError, RepositoryError)) as refused:
        value(**{parameter: wrong}, **needed)
    assert type(wrong).__name__ in str(refused.value) or name == "ReplicaReads"


def test_how_many() -> None:
    """The walk finds the services, the repositories, the transaction, the operations and the studio."""
    assert {"AuthService", "AsyncRepository", "transaction", "deploy", "backup", "create_app", "MakeUser"} <= {
        name for name, _, _ in public()
    }


@pytest.mark.parametrize("wrong", [URL, orm.sessionmaker(), async_sessionmaker(), None])
def test_a_transaction_of_no_engine(wrong: object) -> None:
    """A URL and what makes sessions are refused before a block is begun."""
    with pytest.raises(
        RepositoryError, match=f"{type(wrong).__name__} is neither a Session nor an Engine, which a tran"
    ):
        cast("Callable[[object], object]", transaction)(wrong)
