"""How rows are read: with what a page shows of them, and never with what is secret."""

from collections.abc import Sequence
from typing import Any, Final, cast

from sqlalchemy.orm import InstrumentedAttribute, Mapper, RelationshipProperty, defer, joinedload, undefer
from sqlalchemy.sql.base import ExecutableOption

from pgauthkit.studio.columns import open_columns, secret_columns

__all__ = ["attribute", "names", "readable", "with_row"]

# What people call a row by, the likeliest first.
_NAMES: Final = ("email", "name", "title", "label", "username", "slug")


def attribute(mapper: Mapper[Any], key: str) -> InstrumentedAttribute[Any]:
    """Return an attribute of the class."""
    return cast("InstrumentedAttribute[Any]", mapper.all_orm_descriptors[key])


def names(mapper: Mapper[Any]) -> list[str]:
    """Return the attributes that a row may be called by, the likeliest first."""
    columns = open_columns(mapper)
    return [name for name in _NAMES if name in columns]


def readable(mapper: Mapper[Any]) -> list[ExecutableOption]:
    """Return the options for the rows of a page: also what the model defers is read, as it is shown."""
    secrets = secret_columns(mapper)
    shown = [attribute(mapper, prop.key) for prop in mapper.column_attrs if prop.key not in secrets]
    return [*map(undefer, shown), *_without_secrets(mapper)]


def with_row(relation: RelationshipProperty[Any], further: Sequence[RelationshipProperty[Any]]) -> Any:  # noqa: ANN401 - SQLAlchemy does not export its type
    """Return the option for the row that another one points at, which is called by its name.

    Args:
        relation: to one row.
        further: the relations of that row that it is called by, if it has no name.
    """
    mapper: Mapper[Any] = relation.mapper
    named = [undefer(attribute(mapper, name)) for name in names(mapper)]
    return joinedload(relation.class_attribute).options(
        *named, *_without_secrets(mapper), *(with_row(link, ()) for link in further)
    )


def _without_secrets(mapper: Mapper[Any]) -> list[Any]:
    return [defer(attribute(mapper, key), raiseload=True) for key in secret_columns(mapper)]
