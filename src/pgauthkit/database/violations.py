"""Refusals of the server, translated into our errors: by SQLSTATE and `diag`, with the columns that the models name."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import psycopg
from sqlalchemy import Constraint, Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.exc import DBAPIError, PendingRollbackError, StatementError, TimeoutError as PoolTimeoutError
from sqlalchemy.schema import ColumnCollectionConstraint, ForeignKeyConstraint

from pgauthkit.database.results.unreadable import unreadable
from pgauthkit.database.unavailable import translate
from pgauthkit.errors import (
    CheckViolationError,
    ForeignKeyViolationError,
    NotNullViolationError,
    PgAuthKitError,
    RepositoryError,
    RetryableError,
    UniqueViolationError,
    ValueTooLongError,
)
from pgauthkit.models import SCHEMA

__all__ = ["FAILED_BEFORE", "REFUSALS", "guarded", "violation"]

T = TypeVar("T")

# What may hold values and parameters; other errors of SQLAlchemy are of its use, and pass.
REFUSALS: Final = (psycopg.Error, StatementError, PendingRollbackError, PoolTimeoutError)
_KINDS: Final[Mapping[str, type[RepositoryError]]] = {
    "23505": UniqueViolationError,
    "23503": ForeignKeyViolationError,
    "23001": ForeignKeyViolationError,  # of ON DELETE RESTRICT, since PostgreSQL 18
    "23502": NotNullViolationError,
    "23514": CheckViolationError,
    "22001": ValueTooLongError,
    "22003": ValueTooLongError,
    "40001": RetryableError,
    "40P01": RetryableError,
}
_MISSING: Final = frozenset({"42P01", "42703", "3F000"})
FAILED_BEFORE: Final = "The transaction has failed before: roll it back, or put what may fail inside a savepoint."
_MESSAGES: Final[Mapping[str, str]] = {
    "25P02": FAILED_BEFORE,
    "22P02": "A value is not written as its type is (SQLSTATE 22P02), or is no member of its enum.",
    "428C9": "A column that is GENERATED ALWAYS was given a value (SQLSTATE 428C9): leave it out.",
    "21000": "Two rows of one statement have a key that is equal for the database, or a subquery has several rows.",
}


def guarded(call: Callable[[], T], table: Table) -> T:
    """Call, and raise errors of ours in place of SQLAlchemy's and psycopg's.

    Ours is raised outside of the handler: theirs hold parameters and the server's DETAIL, which quotes the row, and
    must not hang on ours as its context.

    Args:
        call: what talks to the database.
        table: the one that the call is about.
    """
    try:
        return call()
    except REFUSALS as error:
        failure = violation(error, table)
    raise failure


def violation(error: BaseException, table: Table | None = None) -> PgAuthKitError:
    """Return the error of ours for one of SQLAlchemy or psycopg, and take the values out of theirs.

    A session of SQLAlchemy remembers what a flush failed of, and quotes it to the next user of the session.

    Args:
        error: one of `REFUSALS`.
        table: the one that it is about, where that is known.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, StatementError):
        error.args, error.statement, error.params = ("The statement was refused.",), None, None
    name = None if table is None else table.name
    if isinstance(cause, PendingRollbackError):
        return RepositoryError(FAILED_BEFORE, table=name)
    if not isinstance(cause, psycopg.Error | PoolTimeoutError):
        return RepositoryError(
            f"A value does not fit the type of its column{f' in {name}' if name else ''}.", table=name
        )
    return _of_the_server(cause, table)


def _of_the_server(cause: psycopg.Error | PoolTimeoutError, table: Table | None) -> PgAuthKitError:
    state = (cause.sqlstate if isinstance(cause, psycopg.Error) else None) or ""
    name = None if table is None else table.name
    if read := unreadable(cause):
        message, owner, column = read
        return RepositoryError(message, table=owner or name, columns=(column,))
    if isinstance(cause, psycopg.Error) and state in _KINDS:
        return _refusal(_KINDS[state], cause.diag, table)
    if state in _MESSAGES:
        return RepositoryError(_MESSAGES[state], table=name)
    if state in _MISSING and table is not None and table.schema != SCHEMA:
        return RepositoryError(f"The database lacks {name}, or a column of it: migrate it.", table=name)
    general = translate(cause)
    return general if type(general) is not PgAuthKitError else RepositoryError(str(general), table=name)


def _refusal(kind: type[RepositoryError], diag: psycopg.errors.Diagnostic, table: Table | None) -> RepositoryError:
    if kind is RetryableError:
        return kind()
    name = diag.table_name or (None if table is None else table.name)
    columns = (diag.column_name,) if diag.column_name else () if table is None else _columns(diag, table)
    where = [f"Table {name}"] if name else []
    where += [f"columns {', '.join(columns)}"] if columns else []
    where += [f"constraint {diag.constraint_name}"] if diag.constraint_name else []
    message = f"{kind()} {', '.join(where)}." if where else None
    return kind(message, constraint=diag.constraint_name, columns=columns, table=name)


def _columns(diag: psycopg.errors.Diagnostic, table: Table) -> tuple[str, ...]:
    """Return the columns of a constraint that the server named, as the models have them."""
    tables = [found for found in table.metadata.tables.values() if found.name == diag.table_name]
    # A host's table without a schema may be called as one of ours, with constraints called the same.
    for found in sorted(tables, key=lambda found: found.schema != diag.schema_name):
        for item in (*found.constraints, *found.indexes):
            if isinstance(item, ColumnCollectionConstraint | Index) and _name(item, found) == diag.constraint_name:
                return tuple(column.name for column in item.columns)
    return _columns_of_partition(diag, table)


def _columns_of_partition(diag: psycopg.errors.Diagnostic, table: Table) -> tuple[str, ...]:
    """Return the columns of a constraint of a partition, which the server names after the partition."""
    for item in table.constraints:
        if (
            isinstance(item, ColumnCollectionConstraint)
            and _made_up(item, str(diag.table_name)) == diag.constraint_name
        ):
            return tuple(column.name for column in item.columns)
    return ()


def _name(item: Constraint | Index, table: Table) -> str:
    """Return a constraint's name in the database, which makes one up where the model gives none."""
    return str(item.name) if item.name else _made_up(item, table.name)


def _made_up(item: Constraint | Index, table: str) -> str:
    if isinstance(item, PrimaryKeyConstraint):
        return f"{table}_pkey"
    if isinstance(item, UniqueConstraint | ForeignKeyConstraint):
        suffix = "key" if isinstance(item, UniqueConstraint) else "fkey"
        return "_".join([table, *(column.name for column in item.columns), suffix])
    return ""
