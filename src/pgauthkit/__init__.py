"""Passwordless sign-in, typed repositories and safe migrations for applications on PostgreSQL."""

from typing import TYPE_CHECKING

from pgauthkit.lazy import lazy

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgauthkit.aio import AsyncAuthService
    from pgauthkit.config import AuthConfig
    from pgauthkit.replica_reads import ReplicaReads
    from pgauthkit.secret import Secret
    from pgauthkit.service import AuthService

__all__ = ["AsyncAuthService", "AuthConfig", "AuthService", "ReplicaReads", "Secret"]

__getattr__: "Callable[[str], object]" = lazy(
    __name__,
    {
        "AsyncAuthService": "pgauthkit.aio",
        "AuthConfig": "pgauthkit.config",
        "AuthService": "pgauthkit.service",
        "ReplicaReads": "pgauthkit.replica_reads",
        "Secret": "pgauthkit.secret",
    },
)
