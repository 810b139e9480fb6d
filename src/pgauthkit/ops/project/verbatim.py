"""SQL of a database, written so that SQLAlchemy's `text` gives it back as it is: a colon in it names no parameter."""

import re
from typing import Any, Final

from sqlalchemy import Computed, DefaultClause, MetaData, Table, TextClause, literal_column
from sqlalchemy.dialects import postgresql

__all__ = ["keep_colons", "verbatim"]

# What `text` takes for a parameter, and what for a colon that is meant: sqlalchemy.sql.compiler.BIND_PARAMS.
_COLON: Final = re.compile(r"(\\:[\w$]*(?![:\w$])|(?<![:\w$\\]):[\w$]+(?![:\w$]))")
# Of a style of parameters in which a percent sign is none.
_PLAIN: Final = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # SQLAlchemy's


def verbatim(clause: Any) -> str:  # noqa: ANN401 - a text, or whatever an index has
    r"""Return the SQL of a clause as it is written into `text(…)`, or where one is made of a string.

    Example:
        >>> verbatim("label <> ' :x'")
        "label <> ' \\:x'"
    """
    if isinstance(clause, TextClause):
        clause = clause.text
    if not isinstance(clause, str):
        clause = str(clause.compile(dialect=_PLAIN, compile_kwargs={"include_table": False, "literal_binds": True}))
    return _COLON.sub(r"\\\1", clause)


def keep_colons(metadata: MetaData) -> None:
    """Make the defaults of reflected tables, and what their columns are computed of, such that they can be written.

    Example:
        >>> keep_colons(MetaData())
    """
    for table in metadata.tables.values():
        _keep(table)


def _keep(table: Table) -> None:
    for column in table.columns:
        default = column.server_default
        if isinstance(default, Computed):
            default.sqltext = literal_column(verbatim(default.sqltext))
        elif isinstance(default, DefaultClause) and isinstance(default.arg, TextClause):
            default.arg.text = verbatim(default.arg)
