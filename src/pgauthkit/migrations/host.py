"""What the env.py of an application calls that `pgauthkit migrate init` has made."""

from typing import Any, Final

from alembic import context
from sqlalchemy import Connection, MetaData

__all__ = ["run_migrations"]

_OPTIONS: Final[dict[str, Any]] = {
    "transaction_per_migration": True,
    "compare_type": True,
    "compare_server_default": True,
}


def run_migrations(metadata: MetaData, **options: Any) -> None:  # noqa: ANN401 - Alembic's own
    """Run the application's migrations, or print their SQL, as `pgauthkit migrate` asks for.

    Args:
        metadata: of the application's declarative base. Tables of pgauthkit in it are left alone.
        **options: for Alembic's `context.configure`, such as `include_schemas=True`.

    Example:
        >>> run_migrations(Base.metadata, include_schemas=True)  # doctest: +SKIP
    """
    wanted: dict[str, Any] = {**_OPTIONS, "target_metadata": metadata, **options}
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", literal_binds=True, dialect_opts={"paramstyle": "named"}, **wanted)
    else:
        connection: Connection = context.config.attributes["connection"]
        context.configure(connection=connection, **wanted)
    with context.begin_transaction():
        context.run_migrations()
