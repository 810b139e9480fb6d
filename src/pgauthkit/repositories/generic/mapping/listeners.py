"""Listeners of a mapper, which a flush calls with an object, and statements without objects cannot."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Delete, Insert, UpdateBase
from sqlalchemy.dialects.postgresql.dml import OnConflictDoUpdate
from sqlalchemy.orm import descriptor_props as composites

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.description import Description

__all__ = ["refuse_listeners"]


def refuse_listeners(of: Description[Any], statement: UpdateBase) -> None:
    """Make sure that nobody waits to be called by what a statement does: an audit trail would have a hole.

    Raises:
        RepositoryError: the model has such listeners; the message names the events.
    """
    events = [f"{when}_{what}" for what in _operations(statement) for when in ("before", "after")]
    if found := [event for event in events if not all(map(_is_of_a_composite, getattr(of.mapper.dispatch, event)))]:
        message = (
            f"{of.name} has listeners for {', '.join(found)}, which a statement without objects does not call:"
            " change the object and flush the session, or remove the listeners."
        )
        raise RepositoryError(message, table=of.table.name)


def _is_of_a_composite(listener: object) -> bool:
    """Tell whether a listener, in SQLAlchemy's wrapping, is one that it adds itself, to follow an object's columns."""
    cells: Iterable[Any] = getattr(listener, "__closure__", None) or ()
    return any(getattr(cell.cell_contents, "__module__", None) == composites.__name__ for cell in cells)


def _operations(statement: UpdateBase) -> Iterator[str]:
    if isinstance(statement, Insert):
        yield "insert"
        if isinstance(getattr(statement, "_post_values_clause", None), OnConflictDoUpdate):
            yield "update"
    else:
        yield "delete" if isinstance(statement, Delete) else "update"
