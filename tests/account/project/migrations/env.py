"""Alembic's environment of this project. `pgauthkit migrate` runs it, and gives it the connection."""

from shop import Base

from pgauthkit.migrations.host import run_migrations

run_migrations(Base.metadata)
