"""`Plan`: a statement of one shape, made once, and what turns a call's values into its parameters."""

from collections.abc import Sequence
from typing import Any

import attrs
from psycopg.adapt import PyFormat
from sqlalchemy import BindParameter, Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from pgauthkit.repositories.generic.plans.internals import Converter, converter_of, enumerations, parameters
from pgauthkit.repositories.generic.plans.shapes import UnplannedError

__all__ = ["Asked", "Plan", "planned"]


@attrs.define
class Plan:
    """A statement as PostgreSQL takes it.

    Attributes:
        sql: with parameters as `$1`, `$2` …
        text: the same, as it is sent.
        places: which of a call's values, and of the constants behind them, each parameter is.
        constants: what is the same for every call.
        converters: what SQLAlchemy's types do with some parameters, by their places in the statement.
        formats: how psycopg sends the parameters: as it likes.
        enumerations: the places of columns of enumerations; None of a statement that writes, or returns one row.
        types: of the columns, once they were seen, where `enumerations` is not None: then they are asked for in binary.
        words: those of them that are enumerations.
    """

    sql: str
    text: bytes
    places: Sequence[int]
    constants: Sequence[object]
    converters: Sequence[tuple[int, Converter]]
    formats: Sequence[PyFormat]
    enumerations: Sequence[int] | None = None
    types: tuple[int, ...] = ()
    words: frozenset[int] = frozenset()

    def seen(self, types: tuple[int, ...]) -> None:
        """Take note of the types of the columns, for the next time."""
        if self.enumerations is not None and types != self.types:
            self.words = frozenset(types[place] for place in self.enumerations)
            self.types = types

    def parameters(self, values: Sequence[Any]) -> list[Any]:
        """Return the parameters of a call."""
        known = [*values, *self.constants]
        given = [known[place] for place in self.places]
        for place, convert in self.converters:
            given[place] = convert(given[place])
        return given


@attrs.define
class Asked:
    """A plan on its way to the server.

    Attributes:
        plan: what is asked.
        parameters: of this call.
        writes: whether it changes anything.
        types: of the columns of its rows, as the server numbers them, once it is answered.
    """

    plan: Plan
    parameters: Sequence[Any]
    writes: bool = False
    types: tuple[int, ...] = ()


def planned(
    statement: ClauseElement, dialect: Dialect, binds: Sequence[BindParameter[Any]], *, many: bool = False
) -> Plan:
    """Return the plan of a statement.

    Args:
        statement: a select, or what writes and returns rows.
        dialect: of the engine.
        binds: the places of a call's values, in their order.
        many: it reads what may be many rows.

    Raises:
        UnplannedError: its text depends on more than its shape, as with a list of values.
    """
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - for the types
    found = parameters(compiled, binds)
    if found is None:
        raise UnplannedError("the statement depends on more than its shape, as with a list of values")
    known, constants = found
    numbers = _Numbers()
    sql = compiled.string % numbers
    names = list(numbers)
    unescaped = {escaped: name for name, escaped in compiled.escaped_bind_names.items()}
    converters = [(place, converter_of(compiled, unescaped.get(name, name))) for place, name in enumerate(names)]
    return Plan(
        sql,
        sql.encode(),
        [known[name] for name in names],
        constants,
        [(place, convert) for place, convert in converters if convert is not None],
        [PyFormat.AUTO] * len(names),
        enumerations(compiled) if many else None,
    )


class _Numbers(dict[str, str]):
    """Numbers the parameters as they come, for Python's own `%`, which knows SQLAlchemy's doubled percent signs."""

    def __missing__(self, name: str) -> str:
        self[name] = f"${len(self) + 1}"
        return self[name]
