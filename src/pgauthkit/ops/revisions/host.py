"""Finding the application's own migrations from a directory of its project."""

from pathlib import Path

from pgauthkit.ops.project.settings import make_importable, project_directory, read_settings
from pgauthkit.ops.revisions.tracks import Track, host_track

__all__ = ["find_host"]


def find_host(here: Path) -> Track | None:
    """Return the application's track of migrations, whose modules can then be imported; None where it has none.

    It is in the folder that `[tool.pgauthkit]` names, or an `alembic.ini` stands in the directory or the project's.

    Args:
        here: a directory of the project.

    Raises:
        ConfigError: see `read_settings` and `host_track`.

    Example:
        >>> find_host(Path("/srv/blog"))  # doctest: +SKIP
        Track(name='host')
    """
    project, migrations = project_directory(here), read_settings(here).migrations
    make_importable(project)
    if migrations is not None:
        return host_track(project, migrations) if (project / migrations).exists() else None
    # A project of several parts has a pyproject.toml above them, and an alembic.ini in one.
    return host_track(here if (here / "alembic.ini").is_file() else project)
