"""Passwordless sign-in, typed repositories and safe migrations for applications on PostgreSQL."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgauthkit.aio import AsyncAuthService
    from pgauthkit.config import AuthConfig
    from pgauthkit.secret import Secret
    from pgauthkit.service import AuthService

__all__ = ["AsyncAuthService", "AuthConfig", "AuthService", "Secret"]

_HOMES = {
    "AsyncAuthService": "pgauthkit.aio",
    "AuthConfig": "pgauthkit.config",
    "AuthService": "pgauthkit.service",
    "Secret": "pgauthkit.secret",
}


# On first use: the pytest plugin and the command line must not pay for what they do not need.
def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
