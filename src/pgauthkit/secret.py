"""`Secret`: text that does not show itself in print, logs, pickles or errors."""

import hmac
from typing import Final, NoReturn, final

__all__ = ["Secret"]

MASK: Final = "********"


@final
class Secret:
    """Text that is shown only by `reveal()`.

    Two secrets are compared in constant time. Pickling one, or serialising it to JSON, raises `TypeError`.

    Example:
        >>> token = Secret("pgak_ml_…")
        >>> print(token)
        ********
        >>> token.reveal()
        'pgak_ml_…'
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the text itself; hand it straight to its consumer."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret.reveal().encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not pickled: call reveal() where the text is needed.")
