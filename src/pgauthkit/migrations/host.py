"""What the env.py of an application calls that `pgauthkit migrate init` has made."""

from typing import Any, Final

from alembic import context

from pgauthkit.migrations.metadata import metadata_in

__all__ = ["run_migrations"]

_OPTIONS: Final[dict[str, Any]] = {
    "transaction_per_migration": True,
    "compare_type": True,
    "compare_server_default": True,
}


def run_migrations(metadata: object, **options: Any) -> None:  # noqa: ANN401 - Alembic's own
    """Run the application's migrations, or print their SQL, as `pgauthkit migrate` asks for.

    Args:
        metadata: the `MetaData` of the application's declarative base, or what has one: the base, a registry, a module
            with models, or a list of these. Tables of pgauthkit in it are left alone.
        **options: for Alembic's `context.configure`, such as `include_schemas=True`.

    Example:
        >>> run_migrations(Base.metadata, include_schemas=True)  # doctest: +SKIP
    """
    found = metadata_in(metadata)
    target = found[0] if len(found) == 1 else [*found]
    wanted: dict[str, Any] = {**_OPTIONS, "target_metadata": target, **options}
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", literal_binds=True, dialect_opts={"paramstyle": "named"}, **wanted)
    else:
        context.configure(connection=context.config.attributes["connection"], **wanted)
    with context.begin_transaction():
        context.run_migrations()
