"""Each construct that SQLAlchemy can write for PostgreSQL, before and after a change of it alone, as models."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

import attrs

HEAD = """
from sqlalchemy import *
from sqlalchemy.dialects.postgresql import *
from sqlalchemy.orm import DeclarativeBase

metadata = MetaData()
target = Table("target", metadata, Column("id", Integer, primary_key=True))
Table("parent", metadata, Column("id", Integer))

class Base(DeclarativeBase):
    metadata = metadata
"""
# HSTORE and CITEXT come with extensions, which not every server has.
_EXTENSION = """
    CREATE TYPE {0};
    CREATE FUNCTION {0}_in(cstring) RETURNS {0} LANGUAGE internal IMMUTABLE STRICT AS 'textin';
    CREATE FUNCTION {0}_out({0}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
    CREATE TYPE {0} (INPUT = {0}_in, OUTPUT = {0}_out, LIKE = text);
"""
EXTENSIONS = _EXTENSION.format("hstore") + _EXTENSION.format("citext")
_ARROW = re.compile(r"(?:^| )([-=]>)(?= |$)")
COLUMNS = 'Column("c", Integer), Column("d", Integer), Column("e", Text), Column("g", INT4RANGE), Column("j", JSONB)'
TABLE = "Table({name!r}, metadata, Column('id', Integer, primary_key=True, autoincrement=False), {items})"


@attrs.frozen
class Construct:
    """What one line of the table says: models before and after, in which `name` is the name of what changes."""

    section: str
    name: str
    before: str
    after: str
    is_by_hand: bool


def constructs() -> list[Construct]:
    """Return the lines of the table."""
    numbers, section, found = count(), "", list[Construct]()
    for line in Path(__file__).with_suffix(".txt").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name = f"c{next(numbers):03}"
            # A type without an arrow goes in one column, and comes in another.
            before, arrow, after = (*_ARROW.split(line, maxsplit=1), "", line)[:3]
            one, other = (_named(side.strip(), name) for side in (before, after))
            found.append(Construct(section, name, one, other, is_by_hand=arrow == "=>"))
    return found


def models(found: list[Construct], side: str) -> str:
    """Return a module of models with one side of each construct."""
    said = {one: getattr(one, side) for one in found}
    lines = [HEAD]
    for section, item in ITEMS.items():
        items = [item.format(name=one.name, said=text) for one, text in said.items() if one.section == section and text]
        if section == "types" and side == "after":
            items = [one.replace('Column("', 'Column("new_', 1) for one in items]
        lines.append(TABLE.format(name=section, items=", ".join([COLUMNS, *items])))
    for one, text in said.items():
        if one.section in {"options", "constraints"}:
            lines.append(TABLE.format(name=one.name, items=", ".join(filter(None, [COLUMNS, text]))))
        elif one.section not in ITEMS:
            lines.append(text)
    return "\n".join(lines)


ITEMS = {
    "types": 'Column("{name}", {said})',
    "retyped": 'Column("{name}", {said})',
    "columns": 'Column("{name}", {said})',
    "indexes": 'Index("{name}", {said})',
}


def _named(said: str, name: str) -> str:
    return said.replace("_NAME", f"_{name}").replace("NAME", repr(name))
