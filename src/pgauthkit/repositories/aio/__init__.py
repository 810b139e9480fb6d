"""`AsyncRepository`: the same repositories, awaited; a call is one greenlet."""

from typing import TypeVar

from pgauthkit.repositories.aio.reading import AsyncReading
from pgauthkit.repositories.aio.writing import AsyncWriting

__all__ = ["AsyncRepository"]

M = TypeVar("M")


class AsyncRepository(AsyncReading[M], AsyncWriting[M]):
    """The rows of one model, in an async session or on an async engine; each method is that of `Repository`, awaited.

    Args:
        db: the host's session, or an engine. With `expire_on_commit=False` its objects can be read after the commit.
        model: a mapped class of one table, on our `Base` or on the host's.

    Raises:
        RepositoryError: the model is no mapped class, or has several tables; the engine or the session is no async one.

    Example:
        >>> async with AsyncSession(engine) as db, db.begin():  # doctest: +SKIP
        ...     post = await AsyncRepository(db, Post).create(title="Hello World", author_id=user.id)
        >>> (await AsyncRepository(engine, Post).get(id=post.id)).title  # doctest: +SKIP
        'Hello World'
    """
