"""What every part of the service stands on: configuration, hashing, a way to the database, and the audit log."""

from collections.abc import Callable, Generator, Hashable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pgauthkit.config import AuthConfig
from pgauthkit.database.runner import Row, Runner
from pgauthkit.errors import (
    AuthenticationError,
    BindingMismatchError,
    InvalidTokenError,
    SessionRevokedError,
    SignUpClosedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    TooManyAttemptsError,
    UserInactiveError,
)
from pgauthkit.hashing import Hasher
from pgauthkit.identifiers import is_storable
from pgauthkit.service.audit import Audit
from pgauthkit.service.memory.kept import Kept
from pgauthkit.service.memory.marks import EVERYBODY, MARKS, WRITES
from pgauthkit.service.moments import in_seconds, read_clock
from pgauthkit.service.opening import Opening
from pgauthkit.statements.statement import Statement
from pgauthkit.values import Identity, SignIn

if TYPE_CHECKING:
    from pgauthkit.service.replicas.replica import Replica

__all__ = ["Service", "id_or_none", "refusal", "who"]

_REFUSALS: Final[dict[str, type[AuthenticationError]]] = {
    "invalid": InvalidTokenError,
    "expired": TokenExpiredError,
    "used": TokenAlreadyUsedError,
    "binding": BindingMismatchError,
    "revoked": SessionRevokedError,
    "inactive": UserInactiveError,
    "closed": SignUpClosedError,
    "spent": TooManyAttemptsError,
}


def refusal(verdict: str) -> AuthenticationError:
    """Return the error of the contract for a statement's verdict."""
    return _REFUSALS[verdict]()


def id_or_none(text: object) -> str | None:
    """Return a text that may be the id of a row, or None."""
    return text if is_storable(text) and text else None


def who(user: Identity) -> dict[str, str]:
    """Return what the audit log says of a signed-in user."""
    return {"user_id": user.user_id, "session_id": user.session_id, "email": user.email}


class Service:
    """The base of the parts that `AuthService` is put together from."""

    def __init__(self, runner: Runner, config: AuthConfig, audit: Audit | None = None) -> None:
        self._runner = runner
        self._config = config
        self._hasher = Hasher(config)
        self._audit = audit or Audit(config, self._hasher)
        self._kept = Kept.of(config)
        self._replica: Replica | None = None
        self._mark: Callable[..., None] = MARKS.put

    @contextmanager
    def _ending(self, *names: Hashable) -> Generator[None]:
        """Void what is kept of these (a session by its selector's hash, a user by the id) once a statement has run.

        Also where it failed: of one whose answer was lost nobody knows whether it was carried out.
        """
        try:
            yield
        finally:
            self._mark(*names)

    def _rows(self, statement: Statement, **parameters: object) -> list[Row]:
        if statement.is_read or not MARKS.are_kept:
            return self._sent(statement, parameters)
        with self._ending(WRITES):
            return self._sent(statement, parameters)

    def _read(self, statement: Statement, on_replica: Statement, **parameters: object) -> list[Row]:
        """Run a read where a replica may answer, which says nothing of what it would refuse.

        It must have seen all that this process has written, and ended.
        """
        if self._replica is None:
            return self._rows(statement, **parameters)
        with self._replica.whole_call():
            seen = self._replica.ask(on_replica, in_seconds(parameters), read_clock(self._config))
            if seen is None or MARKS.void(seen.as_of, WRITES, EVERYBODY):
                return self._rows(statement, **parameters)
            return [row[1:] for row in seen.rows]

    def _sent(self, statement: Statement, parameters: Mapping[str, object]) -> list[Row]:
        return self._runner.fetch(*self._text(statement, parameters))

    def _text(self, statement: Statement, parameters: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
        now, values = read_clock(self._config), in_seconds(parameters)
        return (statement.sql, values) if now is None else (statement.sql_on_a_clock, {"clock": now, **values})

    def _row(self, statement: Statement, **parameters: object) -> tuple[Any, ...] | None:
        rows = self._rows(statement, **parameters)
        return tuple(rows[0]) if rows else None

    def _tell_signed_in(self, signed_in: SignIn, opening: Opening, by: str, *, of_device: bool = True) -> None:
        # Whose account was made just now has no other device to be warned on.
        if of_device and not (signed_in.known_device or signed_in.created):
            self._audit.tell("new_device", **who(signed_in.user), ip=opening.ip, device_id=opening.device_id)
        self._audit.tell("signed_in", **who(signed_in.user), ip=opening.ip, by=by)
