"""Alembic's own folder: the environment, the template of a revision, and the revisions of our tables."""

from typing import Final

__all__ = ["LEDGER_TABLE", "VERSION_TABLE"]

# In our schema, so that a host's own `alembic_version` and ours never meet.
VERSION_TABLE: Final = "alembic_version"
# Beside it, and like it no revision's table: it outlives a downgrade to nothing.
LEDGER_TABLE: Final = "migration_ledger"
