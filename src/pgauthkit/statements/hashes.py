"""Hashes in a session's row: as much as is kept now, or all of it, as the release before has kept it."""

from typing import Any, Final

from sqlalchemy import ColumnElement, any_, func, literal_column
from sqlalchemy.dialects.postgresql import array

from pgauthkit.hashing import FOUND_BY_BYTES, KEPT_BYTES

__all__ = ["as_kept", "is_found_by", "is_hash"]

_FIRST: Final[ColumnElement[int]] = literal_column("1")


def as_kept(digest: ColumnElement[Any]) -> ColumnElement[Any]:
    """The part of a digest that every row has."""
    return _beginning(digest, KEPT_BYTES)


def is_hash(kept: ColumnElement[Any], digest: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether what a row keeps is of a digest."""
    return as_kept(kept) == as_kept(digest)


def is_found_by(kept: ColumnElement[Any], digest: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether what a row is found by is of the digest of a selector; by the index, in either form."""
    return kept == any_(array([digest, _beginning(digest, FOUND_BY_BYTES)]))


def _beginning(digest: ColumnElement[Any], size: int) -> ColumnElement[Any]:
    return func.substring(digest, _FIRST, literal_column(str(size)))
