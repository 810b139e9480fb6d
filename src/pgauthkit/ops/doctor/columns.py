"""Checks of the columns that an application has on our users: can a sign-in make a user without knowing them."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, text

from pgauthkit.models import SCHEMA, User
from pgauthkit.models.account import is_constant
from pgauthkit.models.owned import own_table
from pgauthkit.ops.doctor.finding import Finding

__all__ = ["check_columns"]

_COLUMNS: Final = text(f"""
SELECT attname AS name, attnotnull AND adbin IS NULL AND attidentity = '' AS unfilled,
  CASE WHEN attgenerated = '' THEN pg_catalog.pg_get_expr(adbin, adrelid) END AS default_
FROM pg_catalog.pg_attribute LEFT JOIN pg_catalog.pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = CAST('{SCHEMA}.users' AS regclass) AND attnum > 0 AND NOT attisdropped AND attname <> ALL(:own)
ORDER BY attnum
""")  # noqa: S608 - the name of our schema
# Without those with a condition, which need not hold for a new user, and those over expressions.
_UNIQUE: Final = text(f"""
SELECT indexrelid::regclass::text AS name,
  pg_get_indexdef(indexrelid) LIKE '% NULLS NOT DISTINCT%' AS one_null,
  array_agg(attname ORDER BY attnum)::text[] AS columns
FROM pg_catalog.pg_index JOIN pg_catalog.pg_attribute
  ON attrelid = indrelid AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1])
WHERE indrelid = CAST('{SCHEMA}.users' AS regclass) AND indisunique AND indpred IS NULL AND indexprs IS NULL
GROUP BY indexrelid ORDER BY 1
""")  # noqa: S608 - the same


def check_columns(connection: Connection) -> Iterator[Finding]:
    """Find columns of the application's on our users with which nobody, or only one person, could sign up."""
    columns = connection.execute(_COLUMNS, {"own": list(own_table(User).columns.keys())}).all()
    defaults = {column.name: column.default_ for column in columns}
    problems = [*_unfilled([column.name for column in columns if column.unfilled])]
    problems += [
        _wrong(
            f"{index.name} is UNIQUE, and its default is the same for everybody, so that only one person can sign up.",
            "In a revision of the application: make its columns nullable, without a default.",
        )
        for index in connection.execute(_UNIQUE)
        if all(name in defaults and _is_same(defaults[name], one_null=index.one_null) for name in index.columns)
    ]
    yield from problems
    if not problems:
        message = "Every column that the application has on the users may be left out by a sign-in."
        yield Finding(check="columns", level="ok", message=message)


def _unfilled(names: Sequence[str]) -> Iterator[Finding]:
    for name in names:
        yield _wrong(
            f"{SCHEMA}.users.{name} is NOT NULL without a default, so that nobody can sign up.",
            "In a revision of the application: give it a server_default, or make it nullable.",
        )


def _is_same(default: str | None, *, one_null: bool) -> bool:
    return one_null if default is None else is_constant(default)


def _wrong(message: str, advice: str) -> Finding:
    return Finding(check="columns", level="wrong", message=message, advice=advice)
