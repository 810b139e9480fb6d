"""`AsyncAuthService`: the same service, awaited."""

import copy
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_scoped_session

from pgauthkit.aio.authentication import AwaitedService
from pgauthkit.aio.devices import AsyncDevices
from pgauthkit.aio.email_changes import AsyncEmailChanges
from pgauthkit.aio.handoffs import AsyncHandoffs
from pgauthkit.aio.invitations import AsyncInvitations
from pgauthkit.aio.links import AsyncLinks
from pgauthkit.aio.purge import AsyncPurge
from pgauthkit.aio.revocation import AsyncRevocation
from pgauthkit.aio.sessions import AsyncSessions
from pgauthkit.aio.users import AsyncUsers
from pgauthkit.config import AuthConfig
from pgauthkit.database.sessions import session_of
from pgauthkit.errors import ConfigError
from pgauthkit.replica_reads import ReplicaReads

__all__ = ["AsyncAuthService"]


class AsyncAuthService(
    AsyncLinks,
    AsyncHandoffs,
    AsyncSessions,
    AsyncDevices,
    AsyncInvitations,
    AsyncEmailChanges,
    AsyncUsers,
    AsyncRevocation,
    AsyncPurge,
):
    """Magic links, codes and sessions for async code; each method is that of `AuthService`, awaited.

    Args:
        engine: of `sqlalchemy.ext.asyncio` with psycopg 3, such as `pgauthkit.database.create_async_engine` returns.
        config: `AuthConfig()` when not given.
        replica: whether reads may be answered by a replica, whose engine is an `AsyncEngine`; see `ReplicaReads`.

    Raises:
        ConfigError: the engine has another driver, or is of the other kind.

    Example:
        >>> auth = AsyncAuthService(async_engine)  # doctest: +SKIP
        >>> identity = await auth.authenticate(token)  # doctest: +SKIP
    """

    def __init__(
        self, engine: AsyncEngine, config: AuthConfig | None = None, *, replica: ReplicaReads | None = None
    ) -> None:
        given: Any = engine  # a caller without a type checker may give a sync one, for the service to refuse
        super().__init__(AwaitedService(getattr(given, "sync_engine", given), config, replica))

    def within(self, db: AsyncSession | async_scoped_session[Any] | AsyncConnection) -> "AsyncAuthService":
        """Return the same service inside a transaction of the host: see `AuthService.within`.

        Example:
            >>> async with AsyncSession(engine) as db, db.begin():  # doctest: +SKIP
            ...     signed_in = await auth.within(db).verify_magic_link(token)

        Raises:
            ConfigError: neither a session nor a connection, or an `AsyncConnection` that has not been started.
        """
        joined = copy.copy(self)
        own: Any = session_of(db)
        if not isinstance(own, AsyncSession | AsyncConnection):
            raise ConfigError([f"within: {type(own).__name__} is neither an AsyncSession nor an AsyncConnection."])
        sync = own.sync_session if isinstance(own, AsyncSession) else own.sync_connection
        if sync is None:
            raise ConfigError(["within: the AsyncConnection has not been started."])
        joined._service = self._service.within(sync)  # noqa: SLF001 - another of the same class
        return joined
