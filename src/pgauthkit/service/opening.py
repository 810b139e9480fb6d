"""A session about to be opened: its tokens, its row, and the sign-in that comes of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

import attrs

from pgauthkit.client import clean_ip, clean_user_agent
from pgauthkit.config import AuthConfig
from pgauthkit.hashing import Hasher
from pgauthkit.identifiers import new_ids
from pgauthkit.service.pairs import FirstPair
from pgauthkit.service.presented import accepted_or_none, digest
from pgauthkit.tokens import Kind, SecretToken
from pgauthkit.user_agents import packed
from pgauthkit.values import Identity, SignIn, UserRole

__all__ = ["Opening", "browser_as_kept"]


def browser_as_kept(config: AuthConfig, user_agent: str | None) -> str | None:
    """Return what a session's row keeps of what a browser calls itself."""
    text = clean_user_agent(user_agent)
    return text if config.long_hashes else packed(text)


@attrs.frozen
class Opening:
    """What `pgauthkit.statements.sessions.opened` writes.

    Attributes:
        session_id: of the new row.
        pair: its tokens, and that of a new device.
        known: the device presented, by its hash under each pepper: hosts may differ in which is the first.
        device_id: of the row of a new device.
        ip: where it comes from.
        row: the parameters of the statement.
    """

    session_id: str
    pair: FirstPair
    known: Mapping[bytes | None, SecretToken]
    device_id: str
    ip: str | None
    row: Mapping[str, object]

    @classmethod
    def new(  # noqa: PLR0917 - what each of three sign-ins has
        cls,
        config: AuthConfig,
        hasher: Hasher,
        ip: str | None,
        user_agent: str | None,
        device: str | None,
        pair: FirstPair | None = None,
    ) -> Self:
        """Make the tokens, unless they are given, and the parameters of the statement."""
        (session_id, device_id), pair, ip = new_ids(2), pair or FirstPair.new(hasher.current), clean_ip(ip)
        presented = accepted_or_none(hasher, Kind.DEVICE, device)
        same = [SecretToken(pepper_id, presented.secret) for pepper_id in hasher.accepted] if presented else []
        known: dict[bytes | None, SecretToken] = {digest(hasher, Kind.DEVICE, token): token for token in same}
        hashes = {token.pepper_id: hashed for hashed, token in known.items()}
        row = {
            "session_id": session_id,
            **pair.hashes(hasher),
            "device_hash": hashes.get(presented.pepper_id) if presented else None,
            "kept_device_hash": hashes.get(hasher.current),
            "new_device_hash": digest(hasher, Kind.DEVICE, pair.device),
            "new_device_id": device_id,
            "device_ttl": config.device_ttl,
            "access_ttl": config.access_ttl,
            "session_idle_ttl": config.session_idle_ttl,
            "session_ttl": config.session_ttl,
            "ip": ip,
            "user_agent": clean_user_agent(user_agent),
            "browser": browser_as_kept(config, user_agent),
        }
        return cls(session_id, pair, known, device_id, ip, row)

    @property
    def on_device(self) -> bool:
        """Whether a device is presented, which the statement then looks for."""
        return bool(self.known)

    def signed_in(  # noqa: PLR0917 - the columns of the statement, in their order
        self,
        user_id: str,
        email: str,
        role: str,
        authenticated_at: datetime,
        access_expires_at: datetime,
        ends_at: datetime,
        device_hash: bytes | None,
        asked_at: datetime,
        *,
        created: bool = False,
        redirect_to: str | None = None,
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
        return SignIn(
            user=identity,
            tokens=self.pair.value(self.session_id, access_expires_at, ends_at),
            redirect_to=redirect_to,
            created=created,
            device=self.known.get(device_hash, self.pair.device).text(Kind.DEVICE),
            known_device=device_hash in self.known,
        )
