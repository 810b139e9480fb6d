"""The class of an application that stands for all users: `class Account(User)`."""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Column, DefaultClause, TextClause, UniqueConstraint
from sqlalchemy.orm import Mapper

from pgauthkit.errors import ConfigError
from pgauthkit.models.owned import is_own

__all__ = ["KIND", "is_constant", "standing", "taking_over"]

# What every user's row has in `pgauthkit_kind`, by the column's default where it is not written.
KIND: Final = "user"
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
_LENGTH: Final = re.compile(r"\(\d+(?:,\s*\d+)?\)")
_CALL: Final = re.compile(r"\w\s*\(|\bcurrent_|\blocaltime|\buser\b", re.IGNORECASE)


def standing(mapper: Mapper[Any]) -> type[Any]:
    """Return the class that all users' rows are loaded as: the application's, or `User`.

    Args:
        mapper: of `User`.

    Example:
        >>> from pgauthkit.models import User
        >>> standing(User.__mapper__)
        <class 'pgauthkit.models.users.User'>
    """
    found: type[Any] = mapper.polymorphic_map[KIND].class_
    return found


@contextmanager
def taking_over(mapper: Mapper[Any], cls: type[Any]) -> Generator[None]:
    """Let a class stand for all users from when it is mapped, which happens inside.

    Two classes for one row would be two objects in one session, neither of which sees what the other changes.

    Args:
        mapper: of `User`.
        cls: the application's class, which is not mapped yet.

    Raises:
        ConfigError: another class stands for the users already, or the class asks for what a sign-in cannot give.

    Example:
        >>> with taking_over(User.__mapper__, Account):  # doctest: +SKIP
        ...     ...  # SQLAlchemy maps it
    """
    if vars(cls).get("__abstract__"):
        yield
        return
    _refuse_class(mapper, cls)
    below = cls.__mro__[: cls.__mro__.index(mapper.class_)]
    written = (vars(one)["__mapper_args__"] for one in below if "__mapper_args__" in vars(one))
    given: Mapping[str, Any] = next(written, dict[str, Any]())
    # "inline": whatever selects users selects the application's columns as well, so that none is read on its own.
    cls.__mapper_args__ = {"polymorphic_load": "inline", **given, "polymorphic_identity": KIND}
    before = mapper.polymorphic_map.pop(KIND)
    try:
        yield
        _refuse_columns(cls)
    except BaseException:
        mapper.polymorphic_map[KIND] = before
        raise


def is_constant(default: str | None) -> bool:
    """Tell whether a default gives every row the same value: it has no function in it, as far as its SQL shows.

    Example:
        >>> is_constant("'en'::character varying(8)"), is_constant("gen_random_uuid()"), is_constant(None)
        (True, False, False)
    """
    return default is not None and not _CALL.search(_LENGTH.sub("", _LITERAL.sub("''", default)))


def _refuse_class(mapper: Mapper[Any], cls: type[Any]) -> None:
    current = standing(mapper)
    if current is not mapper.class_:
        known = f"{current.__module__}.{current.__qualname__}"
        raise _refused(
            f"{cls.__name__} cannot be a class of users: {known} is the one already, as each sign-in makes"
            f" users of one class. Put the columns of {cls.__name__} on it, or into a table of their own with a"
            " foreign key to User.id."
        )
    if {"__tablename__", "__table__"} & vars(cls).keys():
        raise _refused(
            f"{cls.__name__} has a table of its own, in which a sign-in would make no row. Leave out __tablename__ and"
            " __table__: its columns go into the table of users. Or derive it from your own base, with a foreign key"
            " to User.id."
        )


def _refuse_columns(cls: type[Any]) -> None:
    columns = [column for column in cls.__table__.columns if not is_own("users", column.name)]
    if lacking := [column.name for column in columns if not (column.nullable or _is_filled(column))]:
        raise _refused(
            f"{cls.__name__}.{', '.join(lacking)}: NOT NULL without a server_default. A sign-in makes users without"
            " knowing your columns, and the rows that exist need a value as well. Give it a server_default, or make it"
            " optional (Mapped[… | None])."
        )
    unique = {tuple(one.columns) for one in cls.__table__.constraints if isinstance(one, UniqueConstraint)}
    unique |= {tuple(one.columns) for one in cls.__table__.indexes if one.unique and not one.dialect_kwargs}
    for key in unique:
        if all(column in columns and is_constant(_written_out(column)) for column in key):
            raise _refused(
                f"{cls.__name__}.{', '.join(column.name for column in key)}: UNIQUE with a server_default that is the"
                " same for everybody, so that only one person could sign up. Make it optional, without a default."
            )


def _is_filled(column: Column[Any]) -> bool:
    return column.server_default is not None or column.computed is not None or column.identity is not None


def _written_out(column: Column[Any]) -> str | None:
    default: object = column.server_default.arg if isinstance(column.server_default, DefaultClause) else None
    if isinstance(default, str):
        return "''"
    return default.text if isinstance(default, TextClause) else None


def _refused(problem: str) -> ConfigError:
    return ConfigError([f"models: {problem}"])
