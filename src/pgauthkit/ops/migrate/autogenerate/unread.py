"""Columns of a type that SQLAlchemy does not read from a database: a revision has its name in SQL."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard, TypeVar

from alembic.operations import ops
from alembic.operations.ops import MigrateOperation
from sqlalchemy import Column
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import NullType, TypeEngine

from pgauthkit.migrations.types import NamedType

__all__ = ["name_unread"]

_Kind = TypeVar("_Kind", bound=TypeEngine[Any] | None)


def name_unread(operations: Iterable[MigrateOperation], types: Mapping[str, str], home: str) -> None:
    """Give each column without a known type the one that the server has for it.

    Args:
        operations: of a revision; changed in place.
        types: the types of the columns that are there, by their full names.
        home: the schema of a table without one.

    Example:
        >>> name_unread([], {}, "public")
    """
    for one in operations:
        owner = f"{getattr(one, 'schema', None) or home}.{getattr(one, 'table_name', None)}"
        if isinstance(one, ops.AddColumnOp):
            _name(one.column, owner, types)
        elif isinstance(one, ops.CreateTableOp):
            for column in filter(_is_column, one.columns):
                _name(column, owner, types)
        elif isinstance(one, ops.AlterColumnOp):
            name = f"{owner}.{one.column_name}"
            one.existing_type, one.modify_type = (
                _named(kind, name, types) for kind in (one.existing_type, one.modify_type)
            )


def _is_column(item: SchemaItem) -> TypeGuard[Column[Any]]:
    return isinstance(item, Column)


def _name(column: Column[Any], owner: str, types: Mapping[str, str]) -> None:
    column.type = _named(column.type, f"{owner}.{column.name}", types)


def _named(kind: _Kind, name: str, types: Mapping[str, str]) -> _Kind | NamedType:
    return NamedType(types[name]) if isinstance(kind, NullType) else kind
