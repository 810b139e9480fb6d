"""The audit log: what happened, reported to observers and to the logger `pgauthkit.audit` once it is committed."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from pgauthkit.config import AuthConfig
from pgauthkit.hashing import Hasher, Purpose
from pgauthkit.service.moments import read_clock
from pgauthkit.values import AuthEvent

__all__ = ["Audit"]

_log = logging.getLogger("pgauthkit.audit")


class Audit:
    """Tells events: at once, or `later`, when the host's transaction has committed."""

    def __init__(
        self, config: AuthConfig, hasher: Hasher, later: Callable[[Callable[[], None]], None] | None = None
    ) -> None:
        self._config = config
        self._hasher = hasher
        self._later = later

    def tell(
        self,
        kind: str,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        email: str | None = None,
        ip: str | None = None,
        **detail: str | int,
    ) -> None:
        """Tell one event, where anyone listens. The address goes out as a keyed hash only."""
        if not self._config.observers and not _log.isEnabledFor(logging.INFO):
            return  # to make an event takes a tenth of the time of a refresh at the client
        event = AuthEvent(
            kind=kind,
            user_id=user_id,
            session_id=session_id,
            email_hash=None if email is None else self._hasher.key(Purpose.EMAIL, email).hex(),
            ip=ip,
            at=read_clock(self._config) or datetime.now(UTC),
            detail=detail,
        )
        if self._later is None:
            self._publish(event)
        else:
            self._later(lambda: self._publish(event))

    def _publish(self, event: AuthEvent) -> None:
        _log.info(
            "%s user=%s session=%s email=%s ip=%s %s",
            *(event.kind, event.user_id, event.session_id, event.email_hash, event.ip, dict(event.detail)),
            extra={"auth_event": event},
        )
        for observer in self._config.observers:
            try:
                observer(event)
            except Exception:  # noqa: BLE001 - whatever it raises, it must not break a sign-in
                _log.exception("An observer failed on %s.", event.kind)
