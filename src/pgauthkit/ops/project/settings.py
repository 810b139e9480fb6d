"""The application's project: its directory, and `[tool.pgauthkit]` in its pyproject.toml."""

import sys
import tomllib
from pathlib import Path
from typing import cast

import attrs

from pgauthkit.errors import ConfigError

__all__ = ["Settings", "make_importable", "project_directory", "read_settings"]


@attrs.frozen(kw_only=True)
class Settings:
    """What `[tool.pgauthkit]` says. It is kept in version control, so it is no place for a password.

    Attributes:
        url: the database, such as `postgresql://localhost/blog`.
        models: where the host's models are, such as `blog.models:Base`; several are a list, here separated by commas.
        migrations: the folder of the host's migrations, seen from the pyproject.toml.
        seed: what fills a fresh database, such as `blog.seed:main`.
    """

    url: str | None = None
    models: str | None = None
    migrations: str | None = None
    seed: str | None = None


def read_settings(here: Path | None = None) -> Settings:
    """Read `[tool.pgauthkit]` of the nearest pyproject.toml, from a directory upward.

    Args:
        here: the directory; None for the working directory.

    Raises:
        ConfigError: the file is no TOML, or the table has a setting that is unknown or no text.

    Example:
        >>> read_settings()  # doctest: +SKIP
        Settings(url=None, models='blog.models:Base', migrations='migrations', seed=None)
    """
    path = project_directory(here) / "pyproject.toml"
    return _read(path) if path.is_file() else Settings()


def project_directory(here: Path | None = None) -> Path:
    """Return the directory of the nearest pyproject.toml, from a directory upward, or else the latter.

    Args:
        here: the directory; None for the working directory.

    Example:
        >>> project_directory()  # doctest: +SKIP
        PosixPath('/srv/blog')
    """
    here = here or Path.cwd()
    return next((place for place in (here, *here.parents) if (place / "pyproject.toml").is_file()), here)


def make_importable(project: Path) -> None:
    """Let the modules in a project's directory be imported, and before them those in its `src`.

    Example:
        >>> make_importable(project_directory())
    """
    for place in (project / "src", project):
        if place.is_dir() and str(place) not in sys.path:
            sys.path.insert(0, str(place))


def _read(path: Path) -> Settings:
    table = _inner(_inner(_parsed(path), "tool"), "pgauthkit")
    known = attrs.fields_dict(Settings)
    problems = [f"tool.pgauthkit.{name}: there is no such setting." for name in table if name not in known]
    if isinstance(table.get("models"), list):
        several = cast("list[object]", table["models"])
        table = {**table, "models": ", ".join(map(str, several)) if all(isinstance(one, str) for one in several) else 0}
    problems += [
        f"tool.pgauthkit.{name}: must be text{', or a list of texts' if name == 'models' else ''}."
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
