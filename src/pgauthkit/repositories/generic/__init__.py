"""`Repository`: reading and writing the rows of any model, put together from its parts."""

from typing import TypeVar

from pgauthkit.repositories.generic.bulk import Bulk
from pgauthkit.repositories.generic.deleting import Deleting
from pgauthkit.repositories.generic.paging import Paging
from pgauthkit.repositories.generic.reading import Reading
from pgauthkit.repositories.generic.summaries import Summaries
from pgauthkit.repositories.generic.writing import Writing

__all__ = ["Repository"]

M = TypeVar("M")


class Repository(Reading[M], Paging[M], Summaries[M], Writing[M], Bulk[M], Deleting[M]):
    """The rows of one model, in the host's session and transaction, or on an engine.

    In a session it flushes and never commits. On an engine each call is a transaction of its own, made again for up to
    5 s after a conflict with another one; it ends within the engine's `call_timeout`, and its objects are detached.

    A method is one statement, with whatever is included; where a session has to load it itself, there is
    one more for each collection. What was not included raises `RepositoryError` when touched. After an error of the
    server the transaction is aborted, as PostgreSQL has it: put what may fail inside `db.begin_nested()`.

    Args:
        db: the host's session, or an engine; for an `AsyncSession` or an `AsyncEngine` there is `AsyncRepository`.
        model: a mapped class of one table, on our `Base` or on the host's.

    Raises:
        RepositoryError: the model is no mapped class, or has several tables; the engine or the session is an async one.
        ConfigError: the engine's driver is not psycopg 3, or its pool gives one connection to several callers.

    Example:
        >>> with orm.Session(engine) as db, db.begin():  # doctest: +SKIP
        ...     post = Repository(db, Post).create(title="Hello World", author_id=user.id)
        >>> Repository(engine, Post).get(id=post.id).title  # doctest: +SKIP
        'Hello World'
    """
