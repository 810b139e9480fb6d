"""The mapped classes of the application in the working directory, with ours."""

from typing import Any

from pgauthkit.cli.settings import project_directory, read_settings
from pgauthkit.ops.project.mapped import mapped_classes
from pgauthkit.ops.project.settings import make_importable

__all__ = ["models"]


def models() -> tuple[type[Any], ...]:
    """Return every mapped class: ours, and those of the base that `models` in `[tool.pgauthkit]` names.

    Raises:
        ConfigError: there is no such base.
    """
    make_importable(project_directory())
    return mapped_classes(read_settings().models)
