"""What a new row may conflict with: a row with the same unique key."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, and_, literal_column
from sqlalchemy.dialects.postgresql import Insert

from pgauthkit.errors import UniqueViolationError
from pgauthkit.repositories.generic.conditions import conditions
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.keys import UniqueKey

__all__ = ["arbiter", "contradictions", "on_conflict", "taken"]


def arbiter(of: Description[Any], unique: UniqueKey) -> dict[str, Any]:
    """Return what names a unique key to ON CONFLICT."""
    return {
        "index_elements": [of.columns[name] for name in unique.columns],
        "index_where": None if unique.where is None else literal_column(unique.where),
    }


def on_conflict(
    of: Description[Any], statement: Insert, unique: UniqueKey, changes: Mapping[Column[Any], Any]
) -> Insert:
    """Return an INSERT that changes the row with the same key, or returns it under its lock where nothing changes.

    A row that is deleted, or of another class in the same table, stays as it is, and is not returned.
    """
    column = of.columns[unique.columns[0]]
    where = conditions(of, (), deleted_too=False)
    return statement.on_conflict_do_update(
        **arbiter(of, unique),
        # Setting a column to itself returns the row, where DO NOTHING would return none.
        set_=dict(changes) or {column: column},
        where=and_(*where) if where else None,
    )


def contradictions(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return the columns of a key that a new row would have other values in."""
    return sorted(name for name in wanted.keys() & given.keys() if given[name] != wanted[name])


def taken(of: Description[Any], unique: UniqueKey) -> UniqueViolationError:
    """Return the error for a row that has this key, and is none of those that a repository changes."""
    wrong = [f"is not a {of.name}"] if of.kinds else []
    cure = "take another key"
    if of.soft:
        wrong.append("is deleted")
        cure = "restore it, or free the key"
    message = f"The row of {of.table.name} with this key {' or '.join(wrong)}: {cure}."
    columns = [of.columns[name].name for name in unique.columns]
    return UniqueViolationError(message, columns=columns, table=of.table.name)
