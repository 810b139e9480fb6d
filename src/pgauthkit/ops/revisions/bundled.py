"""The revisions that this release brings along, and the Alembic configuration that runs them."""

from typing import Final

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from pgauthkit.migrations import VERSION_TABLE
from pgauthkit.models import SCHEMA

__all__ = ["alembic_config", "bundled_revisions", "current_revision"]

_OPTIONS: Final = {"version_table": VERSION_TABLE, "version_table_schema": SCHEMA}


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for our revisions; there is no ini file.

    Args:
        connection: what to run on, not in a transaction; None for SQL that is only printed (`sql=True`).

    Example:
        >>> alembic_config().get_main_option("script_location")
        'pgauthkit:migrations'
    """
    config = Config()
    config.set_main_option("script_location", "pgauthkit:migrations")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def bundled_revisions() -> tuple[str, ...]:
    """Return the ids of our revisions, the oldest first; the last is the head."""
    script = ScriptDirectory.from_config(alembic_config())
    return tuple(revision.revision for revision in script.walk_revisions())[::-1]


def current_revision(connection: Connection) -> str | None:
    """Return the revision that a database is at; None for a database that has none of ours. Reads only."""
    return MigrationContext.configure(connection, opts=dict(_OPTIONS)).get_current_revision()
