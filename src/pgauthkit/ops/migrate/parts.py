"""The statements for what differs beside columns: constraints, their comments, indexes and sequences."""

import re
from typing import Final

from attrs import evolve

from pgauthkit.ops.migrate.catalog import Item
from pgauthkit.ops.migrate.covered import Covered
from pgauthkit.ops.migrate.making import Made
from pgauthkit.ops.migrate.missing import Missing, Step, quote, short_name, table_name

__all__ = ["is_lost", "write_beside", "write_part"]

# Alembic writes neither into the table that it makes: a key with more than its columns, an operator class.
_LOST: Final = re.compile(r"PRIMARY KEY \(.*?\) .|EXCLUDE USING \w+ \(.*\w+_ops WITH ")
_INDEX: Final = re.compile(r"(?<=INDEX )")


def is_lost(item: Item, said: str | None) -> bool:
    """Say whether the constraint of a new table is not written as the model has it.

    Example:
        >>> is_lost(Item(kind="constraint", name="public.a.pk", owner="public.a"), "PRIMARY KEY (a) INCLUDE (b)")
        True
    """
    return item.kind == "constraint" and bool(_LOST.match(said or ""))


def write_beside(more: Missing, item: Item, wanted: str | None, found: str | None, made: Made) -> None:
    """Write a sequence, or the comment of a constraint.

    Example:
        >>> write_beside(more, item, "AS bigint INCREMENT BY 1", None, made)  # doctest: +SKIP
    """
    if item.kind == "comment":
        comment = f"COMMENT ON CONSTRAINT {quote(short_name(item))} ON {table_name(item, made)} IS"
        of = evolve(item, kind="constraint")  # It may be new, or go.
        up, down = wanted or (of in made.wanted and "NULL"), found or (of in made.found and "NULL")
        more.after.append(Step(f"{comment} {up}" if up else None, f"{comment} {down}" if down else None))
    else:
        schema, _, name = item.name.partition(".")
        full = f"SEQUENCE {quote(schema)}.{quote(name)}"
        verb = "ALTER" if found else "CREATE"
        more.before.append(
            Step(f"{verb} {full} {wanted}", f"ALTER {full} {found}" if found else f"DROP {full}", schema)
        )


def write_part(  # noqa: PLR0917 - what is known of one difference
    more: Missing, item: Item, wanted: str | None, found: str | None, made: Made, known: Covered
) -> None:
    """Write a constraint or an index, or name it.

    Example:
        >>> write_part(more, item, "CHECK ((price > 0))", None, made, known)  # doctest: +SKIP
    """
    said, columns = str(wanted or found), {f"{item.owner}.{name}" for name in made.columns.get(item.name, ())}
    if known.has(item, short_name(item), said):
        return
    if columns & known.checked:  # With a column that is added.
        wanted = None
    # Whatever the models have not and Alembic leaves may be meant to stay, such as a CHECK that a revision has made.
    is_kept = wanted is None and not columns & (known.dropped | known.checked)
    if is_kept or said.startswith(("PRIMARY KEY", "NOT NULL")):
        more.name(item, wanted, found)
    elif item.kind == "index":
        _replace_index(more, item, wanted, found, made)
    else:
        _replace_constraint(more, item, wanted, found, made)


def _replace_index(more: Missing, item: Item, wanted: str | None, found: str | None, made: Made) -> None:
    old = found and found.removesuffix(" INVALID")
    full = f"{quote(made.tables[str(item.owner)][0])}.{quote(short_name(item))}"
    drop, before, after = f"DROP INDEX {full}", more.before, more.after
    if item.name in made.concurrent:
        drop, before, after = f"DROP INDEX CONCURRENTLY {full}", more.apart, more.apart
        wanted, old = (one and _INDEX.sub("CONCURRENTLY ", one, count=1) for one in (wanted, old))
    if old:
        before.append(Step(drop, old))
    if wanted:
        after.append(Step(wanted, drop))


def _replace_constraint(more: Missing, item: Item, wanted: str | None, found: str | None, made: Made) -> None:
    alter, name = f"ALTER TABLE {table_name(item, made)}", quote(short_name(item))
    drop, add = f"{alter} DROP CONSTRAINT {name}", f"{alter} ADD CONSTRAINT {name}"
    if wanted and found == f"{wanted} NOT VALID":
        more.after.append(Step(f"{alter} VALIDATE CONSTRAINT {name}", f"{drop}, ADD CONSTRAINT {name} {found}"))
        return
    if found:
        more.before.append(Step(drop, f"{add} {found}"))
    if wanted:
        more.after.append(Step(f"{add} {wanted}", drop))
