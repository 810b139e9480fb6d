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
from pgauthkit.service.matching import match_hash, match_of
from pgauthkit.service.presented import digest, kept_or_new
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
    handoff: SecretToken | None = None

    @classmethod
    def new(cls, config: AuthConfig, hasher: Hasher, *, bind: bool | str, handoff: bool | str = False) -> Self:
        """Make the secrets that the configuration, and the caller, want.

        A binding or handoff that the browser has already goes on, so that its mails of before stay good; what is no
        token is replaced.
        """
        is_bound = bind or isinstance(bind, str) or config.require_binding
        return cls(
            new_id(),
            SecretToken.new(hasher.current),
            kept_or_new(hasher, Kind.BINDING, bind) if is_bound else None,
            new_code(config.code_length) if config.codes else None,
            kept_or_new(hasher, Kind.HANDOFF, handoff) if handoff or isinstance(handoff, str) else None,
        )

    def hashes(self, hasher: Hasher) -> Mapping[str, object]:
        """Return the row's id, and the hashes that need no slow function."""
        binding, handoff = self.binding, self.handoff
        return {
            "link_id": self.id,
            "token_hash": hasher.digest(Purpose.MAGIC_LINK, self.token.secret, self.token.pepper_id),
            "binding_hash": binding and hasher.digest(Purpose.BINDING, binding.secret, binding.pepper_id),
            "handoff_hash": handoff and digest(hasher, Kind.HANDOFF, handoff),
            "match_hash": handoff and match_hash(hasher, self.token, match_of(handoff)),
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
            handoff=self.handoff.text(Kind.HANDOFF) if self.handoff else None,
            match=match_of(self.handoff) if self.handoff else None,
            redirect_to=redirect_to,
            expires_at=expires_at,
            should_send=should_send,
        )
