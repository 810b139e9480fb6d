"""The roots of the tree of errors, which is in `pgauthkit.errors`."""

import copyreg

__all__ = ["AuthenticationError", "PgAuthKitError"]


class PgAuthKitError(Exception):
    """Something went wrong in pgauthkit.

    Example: `except PgAuthKitError` around a command of your own catches whatever pgauthkit raises.
    """

    __module__ = "pgauthkit.errors"  # where it is imported from, and what a traceback names

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])

    def __reduce__(self) -> tuple[object, ...]:
        # Exception would call __init__ with the message alone, and lose the attributes of the subclasses.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # typeshed does not know it


class AuthenticationError(PgAuthKitError):
    """The caller is not let in.

    Example: `except AuthenticationError` around `auth.authenticate(token)` answers 401.
    """

    __module__ = "pgauthkit.errors"
