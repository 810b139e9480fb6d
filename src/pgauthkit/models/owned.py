"""What of our tables is ours: copies of them, made before an application can put columns of its own on them."""

from typing import Any, Final

from sqlalchemy import MetaData, Table

__all__ = ["is_own", "keep_own", "own_table"]

_OWN: Final = MetaData()


def keep_own(metadata: MetaData) -> None:
    """Copy every table; called once, when our models are complete and no application's class is there yet.

    Example:
        >>> keep_own(Base.metadata)  # doctest: +SKIP
    """
    for table in metadata.sorted_tables:
        table.to_metadata(_OWN)


def own_table(model: type[Any]) -> Table:
    """Return the table of one of our models with our columns alone, for statements that are the same in every process.

    An application's column may have a `default` or an `onupdate` of Python's, which SQLAlchemy writes into each
    statement on its table.

    Example:
        >>> from pgauthkit.models import User
        >>> "id" in own_table(User).c
        True
    """
    return _OWN.tables[model.__table__.key]


def is_own(table: str, name: str | None) -> bool:
    """Tell whether a column, an index or a constraint of one of our tables is ours.

    Args:
        table: without its schema.
        name: of the thing; None for one that has none, which is not ours.

    Example:
        >>> is_own("users", "email"), is_own("users", "uq_users_email"), is_own("users", "phone")
        (True, True, False)
    """
    own = next(one for one in _OWN.tables.values() if one.name == table)
    return name in {thing.name for thing in (*own.columns, *own.indexes, *own.constraints)} - {None}
