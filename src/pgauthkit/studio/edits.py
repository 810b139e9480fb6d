"""What a form changes: a value that only looks different because of the form is left as it is."""

from datetime import datetime, time

from sqlalchemy import Column

__all__ = ["cleaned", "is_same"]


def cleaned(value: object, column: Column[object] | None) -> object:
    r"""Return what a form gave as the database should have it.

    Browsers send line ends as CR LF; a field that was left empty means NULL, where the column may be that.

    Example:
        >>> cleaned("one\r\ntwo", None)
        'one\ntwo'
    """
    if not isinstance(value, str):
        return value
    if value == "" and column is not None and column.nullable:
        return None
    return value.replace("\r\n", "\n")


def is_same(old: object, new: object) -> bool:
    """Tell whether a form gave back what it had shown. It shows no fractions of a second, and NULL as nothing.

    Example:
        >>> is_same(None, "")
        True
    """
    if old is None or old == "":
        return new is None or new is False or new in ("", [], {})
    if (isinstance(old, datetime) and isinstance(new, datetime)) or (isinstance(old, time) and isinstance(new, time)):
        return old.replace(microsecond=0) == new.replace(microsecond=0)
    return old == new or (isinstance(new, str) and str(old) == new)
