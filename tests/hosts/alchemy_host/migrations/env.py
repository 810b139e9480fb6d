"""Alembic's own template for one database, with the host's metadata filled in."""

from alchemy_shop import UUIDAuditBase
from alembic import context
from sqlalchemy import engine_from_config, pool

with engine_from_config(
    context.config.get_section(context.config.config_ini_section, {}), prefix="sqlalchemy.", poolclass=pool.NullPool
).connect() as connection:
    context.configure(connection=connection, target_metadata=UUIDAuditBase.metadata)
    with context.begin_transaction():
        context.run_migrations()
