"""The statements that turn what is found into what the models make, where Alembic has none for it."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from alembic.operations.ops import MigrateOperation
from sqlalchemy.dialects import postgresql

from pgauthkit.ops.migrate.catalog import Item
from pgauthkit.ops.migrate.covered import Covered, covered
from pgauthkit.ops.migrate.making import Made

__all__ = ["Step", "Written", "written"]

_AFTER_TYPE: Final = re.compile(r" (?=NOT NULL|GENERATED|DEFAULT)")
_LABEL: Final = re.compile(r"'(?:[^']|'')*'")
_quote: Final = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]  # SQLAlchemy's own


@attrs.frozen
class Step:
    """One statement, and the one that undoes it; None where there is nothing to do."""

    up: str | None
    down: str | None


@attrs.define
class Written:
    """What a revision lacks.

    Attributes:
        before: steps before those of Alembic.
        after: steps after them.
        labels: statements that add labels to enum types, which are not undone.
        by_hand: what no statement was found for, in sentences.
    """

    before: list[Step] = attrs.field(factory=list[Step])
    after: list[Step] = attrs.field(factory=list[Step])
    labels: list[str] = attrs.field(factory=list[str])
    by_hand: list[str] = attrs.field(factory=list[str])


def written(made: Made, operations: Sequence[MigrateOperation]) -> Written:
    """Return what is missing in the operations that Alembic has found.

    Example:
        >>> written(Made(wanted={}, found={}, tables={}, home="public", dropped={}, columns={}), []).by_hand
        []
    """
    known, more = covered(operations, made.home), Written()
    renamed = _renamed(made, known)
    for old, new in renamed.items():
        rename, names = f"ALTER TABLE {_table(old, made)} RENAME CONSTRAINT", (_quote(_short(old)), _quote(_short(new)))
        more.before.append(Step(f"{rename} {names[0]} TO {names[1]}", f"{rename} {names[1]} TO {names[0]}"))
    more.before += [_restored(item, said) for item, said in made.dropped.items() if item.owner in known.gone]
    settled = {*renamed, *renamed.values()}
    for item in sorted(made.wanted.keys() | made.found.keys(), key=lambda item: (item.kind, item.name)):
        wanted, found = made.wanted.get(item), made.found.get(item)
        if wanted != found and item.owner not in known.tables and item not in settled:
            if item.kind == "type":
                _write_type(more, item, wanted, found, known)
            elif item.kind == "column":
                _write_column(more, item, wanted, found, made, known)
            elif item.kind == "table":
                _name(more, item, wanted, found)
            else:
                _write_part(more, item, wanted, found, made, known)
    return more


def _write_type(more: Written, item: Item, wanted: str | None, found: str | None, known: Covered) -> None:
    if wanted is None:  # No model says that nothing else uses it.
        return
    schema, _, name = item.name.partition(".")
    full = f"{_quote(schema)}.{_quote(name)}"
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
        _name(more, item, wanted, found)


def _write_column(  # noqa: PLR0917 - what is known of one difference
    more: Written, item: Item, wanted: str | None, found: str | None, made: Made, known: Covered
) -> None:
    if wanted is None or found is None:  # Added or dropped, which is Alembic's.
        return
    (new, *new_rest), (old, *old_rest) = _AFTER_TYPE.split(wanted, 1), _AFTER_TYPE.split(found, 1)
    if new != old and item.name not in known.retyped:
        table, column = _table(item, made), _quote(_short(item))
        alter = f"ALTER TABLE {table} ALTER COLUMN {column} TYPE"
        more.after.append(Step(f"{alter} {new}", f"{alter} {old}"))
    if new_rest != old_rest and item.name not in known.columns:
        _name(more, item, wanted, found)


def _write_part(  # noqa: PLR0917 - the same
    more: Written, item: Item, wanted: str | None, found: str | None, made: Made, known: Covered
) -> None:
    said, columns = str(wanted or found), {f"{item.owner}.{name}" for name in made.columns.get(item.name, ())}
    is_brought = found is None and bool(columns & known.checked)
    if is_brought or known.has(item, _short(item), said):
        return
    # Whatever the models have not and Alembic leaves may be meant to stay, such as a CHECK that a revision has made.
    is_kept = wanted is None and not columns & known.dropped
    if is_kept or said.startswith(("PRIMARY KEY", "NOT NULL")):
        _name(more, item, wanted, found)
    else:
        _replace(more, item, wanted, found, made)


def _replace(more: Written, item: Item, wanted: str | None, found: str | None, made: Made) -> None:
    name, table = _quote(_short(item)), _table(item, made)
    if item.kind == "index":
        drop = f"DROP INDEX {_quote(made.tables[str(item.owner)][0])}.{name}"
        new, old = wanted, found and found.removesuffix(" INVALID")
    else:
        drop, add = (f"ALTER TABLE {table} {verb} CONSTRAINT {name}" for verb in ("DROP", "ADD"))
        new, old = wanted and f"{add} {wanted}", found and f"{add} {found}"
    if old:
        more.before.append(Step(drop, old))
    if new:
        more.after.append(Step(new, drop))


def _restored(item: Item, said: str) -> Step:
    table = ".".join(_quote(name) for name in str(item.owner).split("."))
    return Step(None, f"ALTER TABLE {table} ADD CONSTRAINT {_quote(_short(item))} {said}")


def _renamed(made: Made, known: Covered) -> dict[Item, Item]:
    """Return the constraints that differ in their names alone, as after a column was renamed."""
    lost = {(item.owner, said): item for item, said in made.found.items() if _is_alone(item, made.wanted)}
    new = {item: (item.owner, said) for item, said in made.wanted.items() if _is_alone(item, made.found)}
    pairs = {lost[key]: item for item, key in new.items() if key in lost}
    return {old: item for old, item in pairs.items() if not known.has(item, _short(item), made.wanted[item])}


def _is_alone(item: Item, others: Mapping[Item, str]) -> bool:
    return item.kind == "constraint" and item not in others


def _table(item: Item, made: Made) -> str:
    return ".".join(_quote(name) for name in made.tables[str(item.owner)])


def _short(item: Item) -> str:
    # An index is named with its schema, what else belongs to a table with the table.
    holder = str(item.owner).partition(".")[0] if item.kind == "index" else str(item.owner)
    return item.name.removeprefix(f"{holder}.")


def _name(more: Written, item: Item, wanted: str | None, found: str | None) -> None:
    stays = "" if wanted else ", which stays: write it into the model, or drop it"
    more.by_hand.append(
        f"The {item.kind} {item.name}: the models make {wanted or 'none'}; there is {found or 'none'}{stays}."
    )
