"""Getting to PostgreSQL: engines, statements on the wire, and a server of one's own."""

from pgauthkit.database.engine import create_async_engine, create_engine
from pgauthkit.database.replication import has_replayed, log_position

__all__ = ["create_async_engine", "create_engine", "has_replayed", "log_position"]
