"""What a new row may conflict with: a row with the same unique key."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, literal_column
from sqlalchemy.dialects.postgresql import Insert

from pgauthkit.errors import UniqueViolationError
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.keys import UniqueKey

__all__ = ["arbiter", "contradictions", "deleted", "on_conflict"]


def arbiter(of: Description[Any], unique: UniqueKey) -> dict[str, Any]:
    """Return what names a unique key to ON CONFLICT."""
    return {
        "index_elements": [of.columns[name] for name in unique.columns],
        "index_where": None if unique.where is None else literal_column(unique.where),
    }


def on_conflict(
    of: Description[Any], statement: Insert, unique: UniqueKey, changes: Mapping[Column[Any], Any]
) -> Insert:
    """Return an INSERT that changes the row with the same key, or returns it under its lock where nothing changes."""
    column = of.columns[unique.columns[0]]
    return statement.on_conflict_do_update(
        **arbiter(of, unique),
        # Setting a column to itself returns the row, where DO NOTHING would return none.
        set_=dict(changes) or {column: column},
        where=of.attribute("deleted_at").is_(None) if of.soft else None,
    )


def contradictions(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return the columns of a key that a new row would have other values in."""
    return sorted(name for name in wanted.keys() & given.keys() if given[name] != wanted[name])


def deleted(of: Description[Any], unique: UniqueKey) -> UniqueViolationError:
    """Return the error for a row that is deleted, and has its key nevertheless."""
    message = f"The row of {of.table.name} with this key is deleted: restore it, or free the key."
    columns = [of.columns[name].name for name in unique.columns]
    return UniqueViolationError(message, columns=columns, table=of.table.name)
