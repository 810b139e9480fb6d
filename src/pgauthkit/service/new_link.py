"""A link about to be written: its secrets, their hashes, and the value that goes out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

import attrs

from pgauthkit.codes import new_code
from pgauthkit.config import AuthConfig
from pgauthkit.hashing import Hasher, Purpose
from pgauthkit.identifiers import new_id
from pgauthkit.secret import Secret
from pgauthkit.tokens import Kind, SecretToken
from pgauthkit.values import IssuedMagicLink

__all__ = ["NewLink"]


@attrs.frozen
class NewLink:
    """Two independent secrets, the link's and the code's, and perhaps the browser's."""

    id: str
    token: SecretToken
    binding: SecretToken | None
    code: str | None = attrs.field(repr=False)

    @classmethod
    def new(cls, config: AuthConfig, hasher: Hasher, *, bind: bool) -> Self:
        """Make the secrets that the configuration, and the caller, want."""
        return cls(
            new_id(),
            SecretToken.new(hasher.current),
            SecretToken.new(hasher.current) if bind or config.require_binding else None,
            new_code(config.code_length) if config.codes else None,
        )

    def hashes(self, hasher: Hasher) -> Mapping[str, object]:
        """Return the row's id, and the hashes that need no slow function."""
        binding = self.binding
        return {
            "link_id": self.id,
            "token_hash": hasher.digest(Purpose.MAGIC_LINK, self.token.secret, self.token.pepper_id),
            "binding_hash": binding and hasher.digest(Purpose.BINDING, binding.secret, binding.pepper_id),
        }

    def issued(
        self, *, email: str, redirect_to: str | None, expires_at: datetime, should_send: bool
    ) -> IssuedMagicLink:
        """Return what the host gets."""
        return IssuedMagicLink(
            id=self.id,
            email=email,
            token=self.token.text(Kind.MAGIC_LINK),
            code=Secret(self.code) if self.code else None,
            binding=self.binding.text(Kind.BINDING) if self.binding else None,
            redirect_to=redirect_to,
            expires_at=expires_at,
            should_send=should_send,
        )
