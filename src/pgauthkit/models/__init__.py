"""The tables, as SQLAlchemy models: the one source of truth for statements and migrations."""

from pgauthkit.models.base import SCHEMA, Base
from pgauthkit.models.devices import Device
from pgauthkit.models.magic_links import MagicLink
from pgauthkit.models.mixins import CuidPrimaryKey, SoftDelete, Timestamps, unique_unless_deleted
from pgauthkit.models.owned import keep_own
from pgauthkit.models.rate_limits import RateLimit
from pgauthkit.models.sessions import Session
from pgauthkit.models.users import User
from pgauthkit.values import UserRole

keep_own(Base.metadata)

__all__ = [
    "SCHEMA",
    "Base",
    "CuidPrimaryKey",
    "Device",
    "MagicLink",
    "RateLimit",
    "Session",
    "SoftDelete",
    "Timestamps",
    "User",
    "UserRole",
    "unique_unless_deleted",
]
