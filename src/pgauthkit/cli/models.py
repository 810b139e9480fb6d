"""The mapped classes of the application in the working directory, with ours."""

import sys
from typing import Any

from pgauthkit.cli.settings import project_directory, read_settings
from pgauthkit.ops.mapped import mapped_classes

__all__ = ["models"]


def models() -> tuple[type[Any], ...]:
    """Return every mapped class: ours, and those of the base that `models` in `[tool.pgauthkit]` names.

    Raises:
        ConfigError: there is no such base.
    """
    project = project_directory()
    for place in (project / "src", project):
        if place.is_dir() and str(place) not in sys.path:
            sys.path.insert(0, str(place))
    return mapped_classes(read_settings().models)
