"""Getting to PostgreSQL: engines, statements on the wire, and a server of one's own."""

from pgauthkit.database.engine import create_async_engine, create_engine

__all__ = ["create_async_engine", "create_engine"]
