"""The statements that turn what is found into what the models make, where Alembic has none for it."""

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

from alembic.operations.ops import MigrateOperation

from pgauthkit.ops.migrate.autogenerate.replacing import replaced_views, write_views
from pgauthkit.ops.migrate.catalog import Item
from pgauthkit.ops.migrate.columns import write_column
from pgauthkit.ops.migrate.covered import Covered, covered
from pgauthkit.ops.migrate.making import Made
from pgauthkit.ops.migrate.missing import Missing, Step, quote, short_name, table_name
from pgauthkit.ops.migrate.parts import is_lost, write_beside, write_part

__all__ = ["written"]

_LABEL: Final = re.compile(r"'(?:[^']|'')*'")
_RANKS: Final = ("sequence", "type", "table", "column", "view", "constraint", "comment", "index")


def written(made: Made, operations: Sequence[MigrateOperation]) -> Missing:
    """Return what is missing in the operations that Alembic has found.

    Example:
        >>> written(Made(wanted={}, found={}, tables={}, home="public", dropped={}, columns={}), []).by_hand
        []
    """
    known, more = covered(operations, made.home), Missing()
    renamed = _renamed(made, known)
    for old, new in renamed.items():
        rename, names = f"ALTER TABLE {table_name(old, made)} RENAME CONSTRAINT", (short_name(old), short_name(new))
        before, after = map(quote, names)
        more.before.append(Step(f"{rename} {before} TO {after}", f"{rename} {after} TO {before}"))
    more.before += [_restored(item, said) for item, said in made.dropped.items() if item.owner in known.gone]
    settled = {*renamed, *renamed.values()}
    settled |= {item for item in made.wanted if item.kind == "index" and item.owner in replaced_views(made)}
    for kind in _RANKS:  # What others are made of comes first.
        if kind == "view":
            write_views(more, made)
        else:
            items = {item for item in made.wanted.keys() | made.found.keys() if item.kind == kind}
            _write_all(more, sorted(items - settled, key=attrgetter("name")), made, known)
    return more


def _write_all(more: Missing, items: Sequence[Item], made: Made, known: Covered) -> None:
    for item in items:
        wanted, found = made.wanted.get(item), made.found.get(item)
        if wanted == found:
            continue
        if item.owner not in known.tables or item.kind == "comment":
            _write(more, item, wanted, found, made, known)
        elif is_lost(item, wanted):
            name, table = quote(short_name(item)), table_name(item, made)
            again = f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {wanted}"
            more.remade.setdefault(str(item.owner), []).append(again)


def _write(  # noqa: PLR0917 - what is known of one difference
    more: Missing, item: Item, wanted: str | None, found: str | None, made: Made, known: Covered
) -> None:
    match item.kind:
        case "type":
            _write_type(more, item, wanted, found, known)
        case "column":
            write_column(more, item, wanted, found, made, known)
        case "table":
            more.name(item, wanted, found)
        case "comment" | "sequence":
            write_beside(more, item, wanted, found, made)
        case _:
            write_part(more, item, wanted, found, made, known)


def _write_type(more: Missing, item: Item, wanted: str | None, found: str | None, known: Covered) -> None:
    if wanted is None:  # No model says that nothing else uses it.
        return
    schema, _, name = item.name.partition(".")
    full = f"{quote(schema)}.{quote(name)}"
    new, old = _LABEL.findall(wanted), _LABEL.findall(found or "")
    if found is None and (name in known.types or wanted.startswith("ENUM")):
        make = None if name in known.types else f"CREATE TYPE {full} AS {wanted}"
        more.before.append(Step(make, f"DROP TYPE {full}"))
    elif found is None and wanted.startswith("DOMAIN "):
        more.before.append(Step(f"CREATE DOMAIN {full} AS {wanted.removeprefix('DOMAIN ')}", f"DROP DOMAIN {full}"))
    elif wanted.startswith("ENUM") and [label for label in new if label in old] == old:
        for position, label in enumerate(new):
            if label not in old:
                place = f"AFTER {new[position - 1]}" if position else f"BEFORE {old[0]}"
                more.labels.append(f"ALTER TYPE {full} ADD VALUE IF NOT EXISTS {label} {place}")
    else:
        more.name(item, wanted, found)


def _restored(item: Item, said: str) -> Step:
    table = ".".join(quote(name) for name in str(item.owner).split("."))
    return Step(None, f"ALTER TABLE {table} ADD CONSTRAINT {quote(short_name(item))} {said}")


def _renamed(made: Made, known: Covered) -> dict[Item, Item]:
    """Return the constraints that differ in their names alone, as after a column was renamed."""
    lost = {(item.owner, said): item for item, said in made.found.items() if _is_alone(item, made.wanted)}
    new = {item: (item.owner, said) for item, said in made.wanted.items() if _is_alone(item, made.found)}
    pairs = {lost[key]: item for item, key in new.items() if key in lost}
    return {old: item for old, item in pairs.items() if not known.has(item, short_name(item), made.wanted[item])}


def _is_alone(item: Item, others: Mapping[Item, str]) -> bool:
    return item.kind == "constraint" and item not in others
