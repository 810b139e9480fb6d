"""The claims of the demo: each is checked, and one that does not hold is an error."""

from types import TracebackType
from typing import Self

from pgauthkit.errors import PgAuthKitError

__all__ = ["Refusal", "prove"]


def prove(*, claim: bool, otherwise: str) -> None:
    """Check a claim of the demo.

    Raises:
        PgAuthKitError: it does not hold.
    """
    if not claim:
        raise PgAuthKitError(otherwise)


class Refusal:
    """Catches the error that must come, in a `with`; `error` is the one that came.

    Raises:
        PgAuthKitError: none came.

    Example:
        >>> with Refusal(TokenAlreadyUsedError) as refusal:  # doctest: +SKIP
        ...     auth.verify_magic_link(token)
    """

    error: PgAuthKitError

    def __init__(self, kind: type[PgAuthKitError]) -> None:
        self._kind = kind

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        prove(claim=error is not None, otherwise=f"{self._kind.__name__} was due, and nothing was refused.")
        if not isinstance(error, self._kind):
            return False
        self.error = error
        return True
