"""The mapped classes of the application in the working directory, with ours."""

from typing import Any

import click
from sqlalchemy import MetaData

from pgauthkit.cli.settings import project_directory, read_settings, resolve_url
from pgauthkit.ops.project.mapped import mapped_classes
from pgauthkit.ops.project.reflection import reflect
from pgauthkit.ops.project.settings import make_importable
from pgauthkit.ops.server.connection import engine_for

__all__ = ["models", "reflected"]


def models() -> tuple[type[Any], ...]:
    """Return every mapped class: ours, and those of the base that `models` in `[tool.pgauthkit]` names.

    Raises:
        ConfigError: there is no such base.
    """
    make_importable(project_directory())
    return mapped_classes(read_settings().models)


def reflected(url: str | None) -> MetaData:
    """Return the tables that the application's database has; what SQLAlchemy does not know in them is printed.

    Args:
        url: what was given with `--url`.

    Raises:
        ConfigError: there is no table.
        DatabaseUnavailableError: the database cannot be reached.
    """
    metadata, notes = reflect(engine_for(resolve_url(url, direct=False)))
    for note in notes:
        click.echo(note, err=True)
    return metadata
