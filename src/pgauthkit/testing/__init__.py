"""What a test suite needs: a real server, a migrated database for each test, and a clock that moves when told."""

from pgauthkit.testing.clock import Clock
from pgauthkit.testing.server import TestServer

__all__ = ["Clock", "TestServer"]
