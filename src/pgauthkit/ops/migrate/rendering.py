r"""SQL inside a revision's file, written so that it reaches the server as it is in the model or in the database.

A text of SQLAlchemy takes `:x` for a parameter and drops the backslash of `\:x`. Alembic writes down what a text
compiles to, where that backslash is gone and each % is doubled, as if it were the text itself.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from alembic.operations import ops
from alembic.operations.ops import MigrateOperation
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, TextClause, text
from sqlalchemy.sql.elements import ClauseElement

__all__ = ["escape_read", "escaped", "render_escaped"]

# What `TextClause` takes for a parameter, and what it takes for an escaped one.
_PARAMETER: Final = r"(?<![:\w\\])(?=:\w+(?![:\w]))"
_ESCAPED: Final = r"\\(?=:\w*(?![:\w]))"


def escaped(sql: str) -> str:
    r"""Return some SQL as the argument of `text`, without parameters.

    Example:
        >>> escaped("body <> ':x' AND at::date < now()")
        "body <> '\\:x' AND at::date < now()"
    """
    return re.sub(f"{_PARAMETER}|{_ESCAPED}", r"\g<0>\\", sql)


def escape_read(operations: Iterable[MigrateOperation]) -> None:
    """Escape the CHECKs and the conditions of indexes that a way down makes again, as they were read from the server.

    Example:
        >>> escape_read(script.downgrade_ops.ops)  # doctest: +SKIP
    """
    for operation in operations:
        if isinstance(operation, ops.CreateIndexOp) and isinstance(where := operation.kw.get("postgresql_where"), str):
            operation.kw["postgresql_where"] = text(escaped(where))
        for part in operation.columns if isinstance(operation, ops.CreateTableOp) else ():
            if isinstance(part, CheckConstraint) and isinstance(part.sqltext, TextClause):
                part.sqltext = text(escaped(part.sqltext.text))


def render_escaped(context: MigrationContext) -> None:
    """Let a revision that is about to be written have its SQL escaped.

    Args:
        context: of the comparison that made the revision.

    Example:
        >>> render_escaped(context)  # doctest: +SKIP
    """
    compiled = context.impl.render_ddl_sql_expr

    def render(expr: ClauseElement, *, is_index: bool = False, **options: Any) -> str:  # noqa: ANN401 - Alembic's own
        # An index has its texts in an element of Alembic's.
        said = expr if isinstance(expr, TextClause) else getattr(expr, "text", None)
        if isinstance(said, TextClause):  # A parameter without a value, as in a default that was read, is none.
            expr = text(re.sub(_PARAMETER, r"\\", said.text))
        sql = compiled(expr, is_index=is_index, **options).replace("%%", "%")
        # An index's expression becomes a literal column, which has no parameters.
        return sql if is_index else escaped(sql)

    context.impl.render_ddl_sql_expr = render  # type: ignore[assignment, method-assign]  # there is no other way in
