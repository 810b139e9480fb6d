"""Reading columns of one object that a statement left out, by its key."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import inspect, orm, select
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import set_committed_value

from pgauthkit.repositories.generic.typed import own_type, typed

__all__ = ["has_typed_key", "reread"]


def has_typed_key(mapper: Mapper[Any]) -> bool:
    """Tell whether SQLAlchemy would not find a row by its key: to it, 0.1 is not the 0.1 of a `real` column."""
    return any(own_type(column.type) for column in mapper.primary_key)


def reread(db: orm.Session, instance: object, names: Iterable[str]) -> None:
    """Read attributes of an object. One statement.

    Args:
        db: its session.
        instance: of a mapped class.
        names: of columns, or of expressions of the class.
    """
    mapper: Mapper[Any] = inspect(instance, raiseerr=True).mapper
    if not has_typed_key(mapper):
        db.refresh(instance, names)
        return
    wanted = list(names)
    values = zip(mapper.primary_key, mapper.primary_key_from_instance(instance), strict=True)
    key = [column == typed(column.type, value) for column, value in values]
    attributes: list[Any] = [mapper.all_orm_descriptors[name] for name in wanted]
    statement = select(*attributes).select_from(mapper.class_).where(*key)
    row: Sequence[Any] = db.execute(statement, bind_arguments={"mapper": mapper}).one()
    for name, value in zip(wanted, row, strict=True):
        set_committed_value(instance, name, value)
