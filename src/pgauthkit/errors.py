"""Every error that pgauthkit raises.

::

    PgAuthKitError
    ├── ConfigError · InvalidEmailError · InvalidRedirectError (also ValueError)
    ├── RateLimitedError(retry_after) · DatabaseUnavailableError(hints)
    ├── AuthenticationError
    │   ├── InvalidTokenError · TokenExpiredError · TokenAlreadyUsedError · BindingMismatchError
    │   ├── InvalidCodeError(attempts_left) · TooManyAttemptsError · SignUpClosedError
    │   ├── ApprovalPendingError(retry_after, expires_at)
    │   └── SessionRevokedError · RefreshTokenReusedError · UserInactiveError
    ├── RepositoryError(constraint, columns, table)
    │   ├── NotFoundError · UniqueViolationError · ForeignKeyViolationError · NotAUniqueKeyError
    │   └── NotNullViolationError · CheckViolationError · ValueTooLongError · RetryableError
    ├── MigrationError
    │   └── MigrationLockedError(holder) · PendingMigrationsError · DriftError · EditedMigrationError · BaselineError
    ├── SeedError
    └── BackupError
        └── RestoreError

An error's docstring begins with its message, unless the place that raises it knows better. What a program needs is an
attribute. No error carries a token, a code, a password, values of a row or parameters.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from pgauthkit.base_error import AuthenticationError, PgAuthKitError

__all__ = [
    "ApprovalPendingError",
    "AuthenticationError",
    "BackupError",
    "BaselineError",
    "BindingMismatchError",
    "CheckViolationError",
    "ConfigError",
    "DatabaseUnavailableError",
    "DriftError",
    "EditedMigrationError",
    "ForeignKeyViolationError",
    "InvalidCodeError",
    "InvalidEmailError",
    "InvalidRedirectError",
    "InvalidTokenError",
    "MigrationError",
    "MigrationLockedError",
    "NotAUniqueKeyError",
    "NotFoundError",
    "NotNullViolationError",
    "PendingMigrationsError",
    "PgAuthKitError",
    "RateLimitedError",
    "RefreshTokenReusedError",
    "RepositoryError",
    "RestoreError",
    "RetryableError",
    "SeedError",
    "SessionRevokedError",
    "SignUpClosedError",
    "TokenAlreadyUsedError",
    "TokenExpiredError",
    "TooManyAttemptsError",
    "UniqueViolationError",
    "UserInactiveError",
    "ValueTooLongError",
]


class ConfigError(PgAuthKitError, ValueError):
    """The configuration is wrong.

    Attributes:
        problems: one sentence for every wrong field, in the order of the fields.

    Example: `RateLimits(per_ip=5)` raises one whose `problems` has one sentence.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("The configuration is wrong:\n" + "\n".join(f"  - {problem}" for problem in self.problems))


class InvalidEmailError(PgAuthKitError, ValueError):
    """The e-mail address is not one that pgauthkit accepts.

    Attributes:
        reason: the rule that was broken, in one sentence, without the address.

    Example: `InvalidEmailError("the domain has no dot.").reason` is `"the domain has no dot."`.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The e-mail address is not accepted: {reason}")


class InvalidRedirectError(PgAuthKitError, ValueError):
    """The redirect is neither a relative path nor on the list of allowed addresses."""


class RateLimitedError(PgAuthKitError):
    """Too many requests.

    Attributes:
        retry_after: how long to wait until the same request is let through.

    Example: in `except RateLimitedError as error`, answer 429 with `Retry-After: error.retry_after`, in seconds.
    """

    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__(f"Too many requests: try again in {max(1, math.ceil(retry_after.total_seconds()))} s.")


class InvalidTokenError(AuthenticationError):
    """The token is malformed, of another kind, or unknown."""


class TokenExpiredError(AuthenticationError):
    """The token is no longer good: it has expired, or a newer event ended it."""


class TokenAlreadyUsedError(AuthenticationError):
    """The link has been used; it signs in once."""


class BindingMismatchError(AuthenticationError):
    """The link was asked for by another browser, and is still good there."""


class InvalidCodeError(AuthenticationError):
    """The code is wrong.

    Attributes:
        attempts_left: how many more codes will be checked for this link.

    Example: `InvalidCodeError(2).attempts_left` is `2`.
    """

    def __init__(self, attempts_left: int) -> None:
        self.attempts_left = attempts_left
        super().__init__(f"The code is wrong; attempts left: {attempts_left}.")


class TooManyAttemptsError(AuthenticationError):
    """Too many codes were tried for this link; ask for a new one."""


class ApprovalPendingError(AuthenticationError):
    """The sign-in has not been approved yet on the device where the mail was opened.

    Attributes:
        retry_after: how long to wait before asking again.
        expires_at: when the last link ends that can still be approved.

    Example: in `except ApprovalPendingError as error`, answer 202 with `Retry-After: error.retry_after`, in seconds.
    """

    def __init__(self, retry_after: timedelta, expires_at: datetime) -> None:
        self.retry_after: timedelta = retry_after
        self.expires_at: datetime = expires_at
        super().__init__()


class SessionRevokedError(AuthenticationError):
    """The session was ended by a sign-out, by its owner, or by an administrator."""


class RefreshTokenReusedError(AuthenticationError):
    """A refresh token was used again after its successor: the session has been revoked, as it may be stolen."""


class UserInactiveError(AuthenticationError):
    """The user's account is inactive."""


class SignUpClosedError(AuthenticationError):
    """The address has no account, and new ones are not being made."""


class RepositoryError(PgAuthKitError):
    """A row could not be read or written as asked.

    Attributes:
        constraint: the name of the constraint that refused, where the server named one.
        columns: the columns concerned, where they are known.
        table: the table concerned, where it is known.

    Example: `except UniqueViolationError as error` around `posts.create(slug="a")`: `error.columns` is `("slug",)`.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        constraint: str | None = None,
        columns: Sequence[str] = (),
        table: str | None = None,
    ) -> None:
        self.constraint = constraint
        self.columns: tuple[str, ...] = tuple(columns)
        self.table = table
        super().__init__(message)


class NotFoundError(RepositoryError):
    """There is no such row."""


class UniqueViolationError(RepositoryError):
    """A row with the same unique key exists already (SQLSTATE 23505)."""


class ForeignKeyViolationError(RepositoryError):
    """A row that is referred to does not exist, or is still referred to (SQLSTATE 23503)."""


class NotNullViolationError(RepositoryError):
    """A column that must have a value was given none (SQLSTATE 23502)."""


class CheckViolationError(RepositoryError):
    """A value was refused by a CHECK constraint (SQLSTATE 23514), or is no member of an enum that is kept as text."""


class ValueTooLongError(RepositoryError):
    """A value is too long, or out of the range, of its column (SQLSTATE 22001, 22003)."""


class NotAUniqueKeyError(RepositoryError):
    """The columns given are neither the primary key nor a unique constraint."""


class RetryableError(RepositoryError):
    """A conflict with another transaction (SQLSTATE 40001, 40P01); the whole transaction may be retried."""


class DatabaseUnavailableError(PgAuthKitError):
    """The database cannot be reached.

    Attributes:
        hints: what to check, one sentence each, the likeliest first.

    Example: `except DatabaseUnavailableError as error` around the start of an application prints `error.hints`.
    """

    def __init__(self, message: str | None = None, *, hints: Sequence[str] = ()) -> None:
        self.hints: tuple[str, ...] = tuple(hints)
        super().__init__("\n".join([message or "The database cannot be reached.", *(f"  - {hint}" for hint in hints)]))


class MigrationError(PgAuthKitError):
    """A migration could not be carried out."""


class MigrationLockedError(MigrationError):
    """Another process is migrating this database.

    Attributes:
        holder: who holds the lock: process id, application name and since when, where the server says so.

    Example: `except MigrationLockedError as error` around `deploy(url)` prints `error.holder`.
    """

    def __init__(self, message: str | None = None, *, holder: str | None = None) -> None:
        self.holder = holder
        super().__init__(message)


class PendingMigrationsError(MigrationError):
    """The database lacks tables or columns of pgauthkit: run `pgauthkit migrate deploy`."""


class DriftError(MigrationError):
    """The database is not what its migrations make of it."""


class EditedMigrationError(MigrationError):
    """A migration was changed after it had been applied."""


class BaselineError(MigrationError):
    """The database cannot be taken over as it is."""


class BackupError(PgAuthKitError):
    """The backup could not be made, or cannot be restored."""


class RestoreError(BackupError):
    """The backup was not restored."""


class SeedError(PgAuthKitError):
    """The seed failed; nothing of it was kept."""
