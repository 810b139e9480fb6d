"""The statements for what differs in a column: its type, and how an identity counts."""

import re
from typing import Final

from pgauthkit.ops.migrate.autogenerate.casting import type_of, using
from pgauthkit.ops.migrate.catalog import Item
from pgauthkit.ops.migrate.covered import Covered
from pgauthkit.ops.migrate.making import Made
from pgauthkit.ops.migrate.missing import Missing, Step, quote, short_name, table_name

__all__ = ["write_column"]

_IDENTITY: Final = re.compile(r" ?GENERATED (ALWAYS|BY DEFAULT) AS IDENTITY \((.*?)\)")
_OPTION: Final = re.compile(r"(?=INCREMENT|NO |(?<!NO )(?:MINVALUE|MAXVALUE|CYCLE)|START|CACHE)")


def write_column(  # noqa: PLR0917 - what is known of one difference
    more: Missing, item: Item, wanted: str | None, found: str | None, made: Made, known: Covered
) -> None:
    """Write what differs in a column that stays, or name it.

    Example:
        >>> write_column(more, item, "numeric(10,2)", "numeric", made, known)  # doctest: +SKIP
    """
    if wanted is None or found is None:  # Added or dropped, which is Alembic's.
        return
    alter = f"ALTER TABLE {table_name(item, made)} ALTER COLUMN {quote(short_name(item))}"
    (new, kept), (old, was) = type_of(wanted), type_of(found)
    if new != old and item.name not in known.retyped:
        up, down = made.casts.get(item.name, ("", ""))
        column = quote(short_name(item))
        to_new, to_old = f"{new}{using(column, up, new)}", f"{old}{using(column, down, old)}"
        more.after.append(Step(f"{alter} TYPE {to_new}", f"{alter} TYPE {to_old}"))
    if _write_identity(more, alter, wanted, found):
        kept, was = _IDENTITY.sub("", kept), _IDENTITY.sub("", was)
    if kept != was and item.name not in known.columns:
        more.name(item, wanted, found)


def _write_identity(more: Missing, alter: str, wanted: str, found: str) -> bool:
    """Write how a column counts, and say whether that is settled: one that has a default is not."""
    new, old = _IDENTITY.search(wanted), _IDENTITY.search(found)
    if " DEFAULT " in wanted.replace("BY DEFAULT", "") + found.replace("BY DEFAULT", ""):
        return False
    up, down = _recounted(alter, new, old), _recounted(alter, old, new)
    if up != down:
        more.after.append(Step(up, down))
    return True


def _recounted(alter: str, new: re.Match[str] | None, old: re.Match[str] | None) -> str | None:
    if new is None:
        return f"{alter} DROP IDENTITY" if old else None
    if old is None:
        return f"{alter} ADD{new[0]}"
    kind = [f"SET GENERATED {new[1]}"] if new[1] != old[1] else []
    was = _OPTION.split(old[2])
    options = [f"SET {option.strip()}" for option in _OPTION.split(new[2]) if option and option not in was]
    return " ".join([alter, *kind, *options]) if kind or options else None
