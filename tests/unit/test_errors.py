"""The errors: the tree as drawn, messages, attributes, and that they survive pickling and copying."""

import copy
import inspect
import pickle
import re
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Final

import pytest

from pgauthkit import errors
from pgauthkit.errors import (
    ApprovalPendingError,
    AuthenticationError,
    ConfigError,
    DatabaseUnavailableError,
    InvalidCodeError,
    InvalidEmailError,
    InvalidRedirectError,
    InvalidTokenError,
    MigrationLockedError,
    NotFoundError,
    PgAuthKitError,
    RateLimitedError,
    RepositoryError,
    UniqueViolationError,
)

DRAWING: Final = dedent((errors.__doc__ or "").split("\n\n")[2])
CLASSES: Final = [getattr(errors, name) for name in errors.__all__]
WITH_DATA: Final = [
    ApprovalPendingError(timedelta(seconds=3), datetime(2026, 11, 28, tzinfo=UTC)),
    ConfigError(["AuthConfig.codes must be True or False.", "AuthConfig.clock must be callable or None."]),
    DatabaseUnavailableError(hints=["Is the server running?", "Is the port right?"]),
    InvalidCodeError(3),
    InvalidEmailError("the domain has no dot."),
    MigrationLockedError("Somebody else is at it.", holder="process 4711 since 12:00"),
    RateLimitedError(timedelta(seconds=90)),
    RepositoryError("Not like that.", constraint="fk_posts_author_id_users", columns=["author_id"], table="posts"),
    UniqueViolationError(constraint="uq_users_email", columns=["email"], table="users"),
]
PLAIN: Final = [cls for cls in CLASSES if cls not in map(type, WITH_DATA)]
EXAMPLES: Final = [*WITH_DATA, *(cls() for cls in PLAIN)]
each_error = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


def drawn_tree() -> dict[str, tuple[str, ...]]:
    tree: dict[str, tuple[str, ...]] = {}
    path = ["Exception"]
    for line in DRAWING.strip().splitlines():
        names = re.findall(r"\b[A-Z]\w+Error\b", line.partition("(also")[0])
        depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
        also = re.findall(r"\(also (\w+)\)", line)
        tree |= dict.fromkeys(names, (path[depth], *also))
        path[depth + 1 :] = names[-1:]
    return tree


def test_the_tree_is_the_one_drawn() -> None:
    """Every error stands in the module's drawing, below its base, and the drawing holds no other."""
    assert drawn_tree() == {cls.__name__: tuple(base.__name__ for base in cls.__bases__) for cls in CLASSES}


def test_the_attributes_are_the_ones_drawn() -> None:
    """The attributes in the drawing's brackets are those that the errors have."""
    drawn = {name: set(names.split(", ")) for name, names in re.findall(r"(\w+Error)\(([\w, ]+)\)", DRAWING)}
    assert drawn == {type(error).__name__: set(vars(error)) for error in EXAMPLES if type(error).__name__ in drawn}


def test_all_names_are_exported() -> None:
    """`__all__` is sorted and names every class that the module defines, and nothing else."""
    defined = [name for name, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]
    assert sorted(defined) == errors.__all__


@each_error
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_everything(error: PgAuthKitError, protocol: int) -> None:
    """An error that comes back from another process has its class, message and attributes."""
    twin = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own bytes
    assert (type(error), str(error), error.args, vars(error)) == (type(twin), str(twin), twin.args, vars(twin))


@each_error
def test_copying_keeps_everything(error: PgAuthKitError) -> None:
    """A copy, deep or not, is another object with the same class, message and attributes."""
    for twin in (copy.copy(error), copy.deepcopy(error)):
        assert twin is not error
        assert (type(error), str(error), error.args, vars(error)) == (type(twin), str(twin), twin.args, vars(twin))


def test_notes_survive_pickling() -> None:
    """What a host adds with `add_note` travels along."""
    error = InvalidCodeError(2)
    error.add_note("while signing in")
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert twin.__notes__ == ["while signing in"]


@pytest.mark.parametrize("cls", PLAIN)
def test_the_docstring_is_the_message(cls: type[PgAuthKitError]) -> None:
    """An error raised without arguments says the first line of its docstring."""
    assert (cls.__doc__ or "").partition("\n")[0] == str(cls())


@pytest.mark.parametrize("cls", [*PLAIN, RepositoryError, UniqueViolationError, MigrationLockedError])
def test_a_better_message_wins(cls: type[PgAuthKitError]) -> None:
    """The place that raises an error may say it better."""
    assert str(cls("Another sentence.")) == "Another sentence."


@pytest.mark.parametrize("cls", [PgAuthKitError, NotFoundError])
def test_an_empty_message_is_none(cls: type[PgAuthKitError]) -> None:
    """An empty message is replaced by the default one."""
    assert str(cls()) == str(cls(""))


def test_a_class_without_docstring_has_an_empty_message() -> None:
    """A host's subclass without a docstring, like all of them under `python -OO`, is raised with an empty message."""
    silent = type("SilentError", (PgAuthKitError,), {})
    assert str(silent()) == ""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigError(["a is wrong.", "b too."]), "The configuration is wrong:\n  - a is wrong.\n  - b too."),
        (InvalidEmailError("it has no @."), "The e-mail address is not accepted: it has no @."),
        (InvalidCodeError(0), "The code is wrong; attempts left: 0."),
        (DatabaseUnavailableError(), "The database cannot be reached."),
        (DatabaseUnavailableError(hints=["Is it on?"]), "The database cannot be reached.\n  - Is it on?"),
        (DatabaseUnavailableError("Refused.", hints=["Is it on?"]), "Refused.\n  - Is it on?"),
    ],
    ids=["config", "email", "code", "unavailable", "unavailable-hint", "unavailable-message"],
)
def test_messages_with_data(error: PgAuthKitError, message: str) -> None:
    """Errors with data tell them in their message."""
    assert message == str(error)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (timedelta(seconds=90), 90),
        (timedelta(seconds=2, milliseconds=500), 3),
        (timedelta(seconds=1, microseconds=1), 2),
        (timedelta(seconds=1), 1),
        (timedelta(microseconds=1), 1),
        (timedelta(), 1),
        (timedelta(seconds=-5), 1),
    ],
    ids=str,
)
def test_the_wait_is_rounded_up(wait: timedelta, seconds: int) -> None:
    """Whoever waits the whole seconds of the message is let through, and nobody is told to wait less than one."""
    error = RateLimitedError(wait)
    assert (wait, f"Too many requests: try again in {seconds} s.") == (error.retry_after, str(error))


@pytest.mark.parametrize(
    ("error", "attribute", "value"),
    [
        (ConfigError(["a", "b"]), "problems", ("a", "b")),
        (InvalidEmailError("reason"), "reason", "reason"),
        (InvalidCodeError(4), "attempts_left", 4),
        (RepositoryError(), "constraint", None),
        (RepositoryError(), "columns", ()),
        (RepositoryError(), "table", None),
        (RepositoryError(columns=["a"]), "columns", ("a",)),
        (UniqueViolationError(constraint="uq"), "constraint", "uq"),
        (UniqueViolationError(table="users"), "table", "users"),
        (DatabaseUnavailableError(), "hints", ()),
        (DatabaseUnavailableError(hints=["a"]), "hints", ("a",)),
        (MigrationLockedError(), "holder", None),
        (MigrationLockedError(holder="me"), "holder", "me"),
    ],
)
def test_attributes(error: PgAuthKitError, attribute: str, value: object) -> None:
    """What a program needs to react is an attribute; sequences are tuples."""
    assert value == getattr(error, attribute)


def test_errors_of_input_are_value_errors() -> None:
    """Wrong configuration, address and redirect are `ValueError`s too; nothing else is."""
    expected = {ConfigError, InvalidEmailError, InvalidRedirectError}
    assert expected == {cls for cls in CLASSES if issubclass(cls, ValueError)}


def test_one_clause_catches_all() -> None:
    """`except PgAuthKitError` catches everything, and `except AuthenticationError` every refusal."""
    assert [cls for cls in CLASSES if not issubclass(cls, PgAuthKitError)] == []
    assert issubclass(InvalidTokenError, AuthenticationError)


def test_no_error_has_room_for_a_secret() -> None:
    """All that errors carry, beside a sentence, is this list, and none of it is a token, a code or a row's value."""
    harmless = {
        "attempts_left",
        "columns",
        "constraint",
        "expires_at",
        "hints",
        "holder",
        "problems",
        "reason",
        "retry_after",
        "table",
    }
    assert harmless == {name for error in EXAMPLES for name in vars(error)}
