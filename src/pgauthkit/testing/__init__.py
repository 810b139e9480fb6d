"""What a test suite needs: a real server, a migrated database for each test, and a clock that moves when told."""

from typing import TYPE_CHECKING

from pgauthkit.lazy import lazy

if TYPE_CHECKING:
    from pgauthkit.testing.clock import Clock
    from pgauthkit.testing.server import TestServer

__all__ = ["Clock", "TestServer"]

__getattr__ = lazy(__name__, {"Clock": "pgauthkit.testing.clock", "TestServer": "pgauthkit.testing.server"})
