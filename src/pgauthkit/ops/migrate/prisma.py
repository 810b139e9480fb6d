"""Taking over the users of a database that a Prisma schema has made: table "User", camelCase."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import attrs
from sqlalchemy import TIMESTAMP, Connection, Row, TextClause, inspect, text
from sqlalchemy.types import TypeEngine

from pgauthkit.email_address import canonical_email
from pgauthkit.errors import BaselineError, InvalidEmailError, PendingMigrationsError
from pgauthkit.models import SCHEMA
from pgauthkit.ops.server.connection import Target, begin_migrating, engine_for
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import migration_lock
from pgauthkit.values import UserRole

__all__ = ["Adoption", "Merged", "Refused", "adopt_prisma"]

_COLUMNS: Final = {"id", "email", "role", "isActive", "lastLoginAt", "createdAt", "updatedAt"}
_BATCH: Final = """
    SELECT id, email, CAST(role AS text) AS role, "isActive" AS is_active,
        {lastLoginAt} AS last_login_at, {createdAt} AS created_at, {updatedAt} AS updated_at
    FROM {table} WHERE id > :after ORDER BY id LIMIT :size
"""
# By a column's type: Prisma's `DateTime` is a timestamp in UTC, and with @db.Timestamptz an instant already.
_INSTANT: Final = {False: """"{name}" AT TIME ZONE 'UTC'""", True: '"{name}"'}
_TIMES: Final = ("lastLoginAt", "createdAt", "updatedAt")
_TAKE: Final = text(f"""
    INSERT INTO {SCHEMA}.users (id, email, role, is_active, last_login_at, created_at, updated_at)
    SELECT * FROM unnest(CAST(:id AS text[]), CAST(:email AS text[]), CAST(:role AS text[]), CAST(:is_active AS bool[]),
        CAST(:last_login_at AS timestamptz[]), CAST(:created_at AS timestamptz[]), CAST(:updated_at AS timestamptz[]))
    ON CONFLICT DO NOTHING RETURNING id
""")  # noqa: S608 - the schema is a constant
_THERE: Final = text(f"SELECT id, email FROM {SCHEMA}.users WHERE id = ANY(:ids) OR email = ANY(:emails)")  # noqa: S608


@attrs.frozen(kw_only=True)
class Merged:
    """A user whose address another user has already, once canonical, as `Ada@example.com` is `ada@example.com`.

    Attributes:
        id: the user who was not taken.
        kept: the user who has the address, in our table.
        email: the canonical address.
    """

    id: str
    kept: str
    email: str


@attrs.frozen(kw_only=True)
class Refused:
    """A user who could not be taken.

    Attributes:
        id: the user.
        reason: why, in a sentence.
    """

    id: str
    reason: str


@attrs.frozen(kw_only=True)
class Adoption:
    """What became of the users; the four together are all of them.

    Attributes:
        taken: how many were taken now.
        present: how many had been taken before.
        merged: those whose address another user has already.
        refused: those who could not be taken.

    Example:
        >>> (Adoption(taken=2, present=1) + Adoption(taken=1)).total
        4
    """

    taken: int = 0
    present: int = 0
    merged: tuple[Merged, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def total(self) -> int:
        """How many users were looked at."""
        return self.taken + self.present + len(self.merged) + len(self.refused)

    def __add__(self, other: "Adoption") -> "Adoption":
        return Adoption(
            taken=self.taken + other.taken,
            present=self.present + other.present,
            merged=self.merged + other.merged,
            refused=self.refused + other.refused,
        )


def adopt_prisma(
    target: Target,
    *,
    schema: str = "public",
    batch_size: int = 2000,
    on_progress: Callable[[Adoption], None] | None = None,
) -> Adoption:
    """Copy the users of Prisma's table "User" into ours, with their ids, in batches of one transaction each.

    Of users whose addresses become one, the first by id is taken, which is the oldest with Prisma's `cuid()`. Sessions
    and links do not move: their tokens are readable in the old tables, so people sign in again. The old tables are
    only read. It can be stopped and run again; users that were copied already are left as they are.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        schema: where the table "User" is.
        batch_size: how many users at a time.
        on_progress: called after each batch with the sum so far.

    Raises:
        BaselineError: there is no table "User" with the columns of Prisma's guide, or a time in it is neither a
            timestamp, which is read as UTC, nor a timestamp with time zone.
        PendingMigrationsError: our tables are not there.
        MigrationLockedError: another process is migrating the database.
        DatabaseUnavailableError: the database cannot be reached, or was lost on the way.

    Example:
        >>> adopt_prisma("postgresql://app@db.example/app").taken  # doctest: +SKIP
        100000
    """
    engine = engine_for(target)
    done, after = Adoption(), ""
    with explained("Adopting the users", engine.url), migration_lock(engine) as connection:
        batch = _batch(connection, schema)
        begin_migrating(connection, lock_timeout=timedelta(seconds=5))
        while rows := connection.execute(batch, {"after": after, "size": batch_size}).all():
            done, after = done + _take(connection, rows), rows[-1].id
            connection.commit()
            if on_progress:
                on_progress(done)
    return done


def _batch(connection: Connection, schema: str) -> TextClause:
    catalog = inspect(connection)
    if not catalog.has_table("users", schema=SCHEMA):
        raise PendingMigrationsError
    found = catalog.get_columns("User", schema=schema) if catalog.has_table("User", schema=schema) else []
    columns = {column["name"]: column["type"] for column in found}
    if missing := _COLUMNS - columns.keys():
        what = f'no column {", ".join(sorted(missing))} in the table "User"' if columns else 'no table "User"'
        raise BaselineError(f"There is {what} of schema {schema}, as the Prisma schema of the guide makes it.")
    table = f'{connection.dialect.identifier_preparer.quote_schema(schema)}."User"'
    return text(_BATCH.format(table=table, **{name: _instant(name, columns[name]) for name in _TIMES}))


def _instant(name: str, kind: TypeEngine[Any]) -> str:
    if not isinstance(kind, TIMESTAMP):
        raise BaselineError(
            f'The column {name} of the table "User" is of type {kind}, and no time can be read from it without a guess.'
            f' Make it one: ALTER TABLE … ALTER COLUMN "{name}" TYPE timestamptz USING …'
        )
    return _INSTANT[kind.timezone].format(name=name)


def _take(connection: Connection, rows: Sequence[Row[Any]]) -> Adoption:
    refused: list[Refused] = []
    emails: dict[str, str] = {}
    for row in rows:
        if row.role not in UserRole.__members__:
            refused.append(Refused(id=row.id, reason=f"The role {row.role} is none of {', '.join(UserRole)}."))
            continue
        try:
            emails[row.id] = canonical_email(row.email)
        except InvalidEmailError as error:
            refused.append(Refused(id=row.id, reason=str(error)))
    good = [row for row in rows if row.id in emails]
    names = ("id", "role", "is_active", "last_login_at", "created_at", "updated_at")
    values: dict[str, list[object]] = {name: [getattr(row, name) for row in good] for name in names}
    taken = set(connection.scalars(_TAKE, {**values, "email": list(emails.values())}))
    left = {id_: email for id_, email in emails.items() if id_ not in taken}
    present, merged = _left_out(connection, left)
    return Adoption(taken=len(taken), present=present, merged=merged, refused=tuple(refused))


def _left_out(connection: Connection, left: dict[str, str]) -> tuple[int, tuple[Merged, ...]]:
    there = connection.execute(_THERE, {"ids": list(left), "emails": list(left.values())}).all()
    ids, owners = {row.id for row in there}, {row.email: row.id for row in there}
    merged = tuple(Merged(id=id_, kept=owners[email], email=email) for id_, email in left.items() if id_ not in ids)
    return len(left) - len(merged), merged
