"""What a test suite needs: a real server, a migrated database for each test, users, mails, and a clock to move."""

from typing import TYPE_CHECKING

from pgauthkit.lazy import lazy

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgauthkit.testing.clock import Clock
    from pgauthkit.testing.factories import MakeSignIn, MakeUser
    from pgauthkit.testing.outbox import Mail, Outbox
    from pgauthkit.testing.replica import Replica
    from pgauthkit.testing.server import TestServer

__all__ = ["Clock", "Mail", "MakeSignIn", "MakeUser", "Outbox", "Replica", "TestServer"]

__getattr__: "Callable[[str], object]" = lazy(
    __name__,
    {
        "Clock": "pgauthkit.testing.clock",
        "Mail": "pgauthkit.testing.outbox",
        "MakeSignIn": "pgauthkit.testing.factories",
        "MakeUser": "pgauthkit.testing.factories",
        "Outbox": "pgauthkit.testing.outbox",
        "Replica": "pgauthkit.testing.replica",
        "TestServer": "pgauthkit.testing.server",
    },
)
