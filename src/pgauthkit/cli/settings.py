"""Where a command finds its settings: option, environment, `[tool.pgauthkit]` of the nearest pyproject.toml."""

import os
import tomllib
from pathlib import Path
from typing import cast

import attrs
import click

from pgauthkit.errors import ConfigError

__all__ = ["Settings", "project_directory", "read_settings", "resolve_url"]


@attrs.frozen(kw_only=True)
class Settings:
    """What `[tool.pgauthkit]` says. It is kept in version control, so it is no place for a password.

    Attributes:
        url: the database, such as `postgresql://localhost/blog`.
        models: where the host's models are, such as `blog.models:Base`.
        migrations: the folder of the host's migrations, seen from the pyproject.toml.
        seed: what fills a fresh database, such as `blog.seed:main`.
    """

    url: str | None = None
    models: str | None = None
    migrations: str | None = None
    seed: str | None = None


def read_settings() -> Settings:
    """Read `[tool.pgauthkit]` of the nearest pyproject.toml, from the working directory upward.

    Raises:
        ConfigError: the file is no TOML, or the table has a setting that is unknown or no text.

    Example:
        >>> read_settings()  # doctest: +SKIP
        Settings(url=None, models='blog.models:Base', migrations='migrations', seed=None)
    """
    path = project_directory() / "pyproject.toml"
    return _read(path) if path.is_file() else Settings()


def project_directory() -> Path:
    """Return the directory of the nearest pyproject.toml, from the working directory upward, or else the latter.

    Example:
        >>> project_directory()  # doctest: +SKIP
        PosixPath('/srv/blog')
    """
    here = Path.cwd()
    return next((place for place in (here, *here.parents) if (place / "pyproject.toml").is_file()), here)


def resolve_url(option: str | None, *, direct: bool) -> str:
    """Return the database's URL: the option, the environment, or pyproject.toml, whichever has one first.

    Args:
        option: what was given with `--url`.
        direct: whether the connection must lead past a pooler, as for migrations, locks and backups; then `DIRECT_URL`
            goes before `DATABASE_URL`.

    Raises:
        click.UsageError: there is none.
        ConfigError: see `read_settings`.

    Example:
        >>> resolve_url("postgresql://localhost/blog", direct=True)
        'postgresql://localhost/blog'
    """
    variables = ("DIRECT_URL", "DATABASE_URL") if direct else ("DATABASE_URL",)
    url = option or next(filter(None, map(os.environ.get, variables)), None) or read_settings().url
    if url is None:
        raise click.UsageError(
            "There is no database URL. Give one of: the option --url postgresql://…;"
            f" the environment variable {' or '.join(variables)};"
            ' url = "postgresql://…" in [tool.pgauthkit] of pyproject.toml.'
        )
    return url


def _read(path: Path) -> Settings:
    table = _inner(_inner(_parsed(path), "tool"), "pgauthkit")
    known = attrs.fields_dict(Settings)
    problems = [f"tool.pgauthkit.{name}: there is no such setting." for name in table if name not in known]
    problems += [
        f"tool.pgauthkit.{name}: must be text."
        for name, value in table.items()
        if name in known and not isinstance(value, str)
    ]
    if problems:
        raise ConfigError(problems)
    return Settings(**cast("dict[str, str]", table))


def _parsed(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"pyproject.toml: {error}"]) from error


def _inner(table: dict[str, object], name: str) -> dict[str, object]:
    inner = table.get(name, {})
    if not isinstance(inner, dict):
        raise ConfigError([f"pyproject.toml: {name} must be a table."])
    return cast("dict[str, object]", inner)
