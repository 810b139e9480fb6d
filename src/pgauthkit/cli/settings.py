"""Where a command finds its settings: option, environment, `[tool.pgauthkit]` of the nearest pyproject.toml."""

import os
from typing import Final

import click

from pgauthkit.ops.project.settings import Settings, project_directory, read_settings

__all__ = ["APPLICATION_URL", "SERVER_URL", "Settings", "project_directory", "read_settings", "resolve_url"]

_WHAT: Final = "The database, postgresql://…, without a password: other users of the machine can see command lines."
# For commands that do what the application does, by its role, and behind a pooler where it has one.
APPLICATION_URL: Final = click.option(
    "--url", metavar="URL", help=f"{_WHAT}  [default: DATABASE_URL, DIRECT_URL, or pyproject.toml]"
)
# For commands that need the server itself, and the owner of the tables.
SERVER_URL: Final = click.option(
    "--url", metavar="URL", help=f"{_WHAT}  [default: DIRECT_URL, DATABASE_URL, or pyproject.toml]"
)


def resolve_url(option: str | None, *, direct: bool) -> str:
    """Return the database's URL: the option, the environment, or pyproject.toml, whichever has one first.

    Args:
        option: what was given with `--url`.
        direct: whether the connection must lead past a pooler, as for migrations, locks and backups; then `DIRECT_URL`
            goes before `DATABASE_URL`, and otherwise behind it. The option beside it is `SERVER_URL`, and otherwise
            `APPLICATION_URL`.

    Raises:
        click.UsageError: there is none.
        ConfigError: see `read_settings`.

    Example:
        >>> resolve_url("postgresql://localhost/blog", direct=True)
        'postgresql://localhost/blog'
    """
    variables = ("DIRECT_URL", "DATABASE_URL") if direct else ("DATABASE_URL", "DIRECT_URL")
    url = option or next(filter(None, map(os.environ.get, variables)), None) or read_settings().url
    if url is None:
        raise click.UsageError(
            "There is no database URL. Give one of: the option --url postgresql://…;"
            f" the environment variable {' or '.join(variables)};"
            ' url = "postgresql://…" in [tool.pgauthkit] of pyproject.toml. A file .env is not read.'
            " `pgauthkit dev-db start` starts a server for development, and `pgauthkit dev-db url` prints its URL."
        )
    return url
