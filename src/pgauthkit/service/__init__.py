"""`AuthService`: sign-in without passwords, one operation in one statement."""

import copy
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, orm

from pgauthkit.config import AuthConfig
from pgauthkit.database.runner import Autocommit, Joined, SyncWire, Wire
from pgauthkit.database.sessions import session_of
from pgauthkit.errors import ConfigError
from pgauthkit.replica_reads import ReplicaReads
from pgauthkit.service.audit import Audit
from pgauthkit.service.devices import Devices
from pgauthkit.service.email_changes import EmailChanges
from pgauthkit.service.handoffs import Handoffs
from pgauthkit.service.invitations import Invitations
from pgauthkit.service.joining import after_commit, connection_of
from pgauthkit.service.links import Links
from pgauthkit.service.memory.marks import mark_after_commit
from pgauthkit.service.previews import Previews
from pgauthkit.service.purge import Purge
from pgauthkit.service.replicas.replica import Replica
from pgauthkit.service.revocation import Revocation
from pgauthkit.service.sessions import Sessions
from pgauthkit.service.users import Users

__all__ = ["AuthService"]


class AuthService(Links, Previews, Handoffs, Sessions, Devices, Invitations, EmailChanges, Users, Revocation, Purge):
    """Magic links, codes and sessions, on an engine of the host.

    Each method is one statement in autocommit on a connection of the engine's pool, unless it says otherwise; so it is
    atomic, survives a rollback of the host, works behind a pooler in transaction mode, and is repeated, for up to 5 s,
    when the server asks for that (SQLSTATE 40001, 40P01). Safe to share between threads.

    Args:
        engine: of SQLAlchemy with psycopg 3, such as `pgauthkit.database.create_engine` returns.
        config: `AuthConfig()` when not given.
        replica: whether `authenticate`, `peek_magic_link` and `list_sessions` may be answered by a replica; see
            `ReplicaReads`.
        wire: how the driver is talked to; `AsyncAuthService` gives its own.

    Raises:
        ConfigError: the engine has another driver, is of the other kind, or has a pool that gives one connection to
            several callers (`StaticPool`, `SingletonThreadPool`).

    Every method may also raise `DatabaseUnavailableError`, `PendingMigrationsError` where the tables are not there, and
    `RetryableError` when 5 s of repeating did not help.

    Example:
        >>> auth = AuthService(engine, AuthConfig())  # doctest: +SKIP
        >>> link = auth.request_magic_link("ada@example.com")  # doctest: +SKIP
        >>> signed_in = auth.verify_magic_link(link.token.reveal())  # doctest: +SKIP
    """

    def __init__(
        self,
        engine: Engine,
        config: AuthConfig | None = None,
        *,
        replica: ReplicaReads | None = None,
        wire: Wire | None = None,
    ) -> None:
        given: list[tuple[str, object, type]] = [("config", config, AuthConfig), ("replica", replica, ReplicaReads)]
        if wrong := [
            f"{name}: {type(value).__name__} is no {kind.__name__}."
            for name, value, kind in given
            if not isinstance(value, kind | None)
        ]:
            raise ConfigError(wrong)
        self._wire: Wire = wire or SyncWire()
        super().__init__(Autocommit(engine, self._wire), config or AuthConfig())
        if replica is not None:
            self._replica = Replica(replica, engine, self._wire, self._touch)

    def within(self, db: orm.Session | orm.scoped_session[Any] | Connection) -> "AuthService":
        """Return the same service inside a transaction of the host, which then owns everything.

        What is counted or revoked lives and dies with that transaction: an attempt at a code, or the revocation after
        a replayed refresh token, is undone by a rollback. Use it to make rows of the host together with a sign-up, and
        for nothing else. Nothing is repeated, and how long it may take is the host's to say: `call_timeout` does not
        count here. Events are reported when the session has committed (on a `Connection`: when
        the commit is sent). Of a `scoped_session`, such as Flask-SQLAlchemy's `db.session`, it is the session of this
        thread.

        Example:
            >>> with orm.Session(engine) as db, db.begin():  # doctest: +SKIP
            ...     signed_in = auth.within(db).verify_magic_link(token)
            ...     db.add(Profile(user_id=signed_in.user.user_id))

        Raises:
            ConfigError: neither a session nor a connection.
        """
        joined = copy.copy(self)
        own: Any = session_of(db)
        if not isinstance(own, orm.Session | Connection):
            raise ConfigError([f"within: {type(own).__name__} is neither a Session nor a Connection."])
        joined._runner = Joined(partial(connection_of, own), self._wire)  # noqa: SLF001 - another of the same class
        joined._replica = None  # noqa: SLF001 - the same: a transaction sees what it has written itself
        joined._kept = None  # noqa: SLF001 - the same: what the host has not committed is nobody else's
        joined._mark = partial(mark_after_commit, own)  # noqa: SLF001 - the same
        joined._audit = Audit(self._config, self._hasher, partial(after_commit, own))  # noqa: SLF001 - the same
        return joined
