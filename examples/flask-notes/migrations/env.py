"""Alembic's environment: on the connection of `pgauthkit migrate`, or by `alembic` on that of `DATABASE_URL`."""

from alembic import context
from notes.models import Base
from sqlalchemy import Connection, NullPool

from pgauthkit.database import create_engine


def migrate(connection: Connection) -> None:
    """Do what Alembic was called for."""
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif given is not None:
    migrate(given)
else:
    with create_engine(poolclass=NullPool).connect() as connection:
        migrate(connection)
