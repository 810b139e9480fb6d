"""A session about to be opened: its tokens, its row, and the sign-in that comes of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

import attrs

from pgauthkit.client import clean_ip, clean_user_agent
from pgauthkit.config import AuthConfig
from pgauthkit.hashing import Hasher
from pgauthkit.identifiers import new_id
from pgauthkit.service.pairs import Pair
from pgauthkit.values import Identity, SignIn, UserRole

__all__ = ["Opening"]


@attrs.frozen
class Opening:
    """What `pgauthkit.statements.sessions.opened` writes."""

    session_id: str
    pair: Pair
    ip: str | None
    row: Mapping[str, object]

    @classmethod
    def new(
        cls,
        config: AuthConfig,
        hasher: Hasher,
        ip: str | None,
        user_agent: str | None,
        pair: Pair | None = None,
    ) -> Self:
        """Make the tokens, unless they are given, and the parameters of the statement."""
        session_id, pair, ip = new_id(), pair or Pair.new(hasher.current), clean_ip(ip)
        row = {
            "session_id": session_id,
            **pair.hashes(hasher),
            "access_ttl": config.access_ttl,
            "session_idle_ttl": config.session_idle_ttl,
            "session_ttl": config.session_ttl,
            "ip": ip,
            "user_agent": clean_user_agent(user_agent),
        }
        return cls(session_id, pair, ip, row)

    def signed_in(  # noqa: PLR0917 - the columns of the statement, in their order
        self,
        user_id: str,
        email: str,
        role: str,
        authenticated_at: datetime,
        access_expires_at: datetime,
        ends_at: datetime,
        asked_at: datetime,
    ) -> SignIn:
        """Return what the host gets, from the row that the statement gave."""
        identity = Identity(
            user_id=user_id,
            email=email,
            role=UserRole(role),
            session_id=self.session_id,
            authenticated_at=authenticated_at,
            expires_at=access_expires_at,
            asked_at=asked_at,
        )
        return SignIn(user=identity, tokens=self.pair.value(self.session_id, access_expires_at, ends_at))
