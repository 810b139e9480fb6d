"""The studio: every mapped class in a browser on this machine, read only unless asked otherwise; an extra."""

from typing import TYPE_CHECKING

from pgauthkit.lazy import lazy

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgauthkit.studio.application import create_app
    from pgauthkit.studio.server import Studio

__all__ = ["Studio", "create_app"]

__getattr__: "Callable[[str], object]" = lazy(
    __name__, {"Studio": "pgauthkit.studio.server", "create_app": "pgauthkit.studio.application"}, extra="studio"
)
