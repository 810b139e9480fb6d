"""Copying the users of a Prisma table into ours, in batches."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Connection,
    Insert,
    Row,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
    table as table_of,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from pgauthkit.models import SCHEMA
from pgauthkit.ops.migrate.prisma.outcome import Adoption, Merged, judged
from pgauthkit.ops.migrate.prisma.source import Source, find_source
from pgauthkit.ops.server.connection import Target, begin_migrating, engine_for
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import migration_lock

__all__ = ["adopt_prisma"]

_THERE: Final = text(f"SELECT id, email FROM {SCHEMA}.users WHERE id = ANY(:ids) OR email = ANY(:emails)")  # noqa: S608


def adopt_prisma(
    target: Target,
    *,
    schema: str = "public",
    table: str | None = None,
    columns: Mapping[str, str] | None = None,
    batch_size: int = 2000,
    on_progress: Callable[[Adoption], None] | None = None,
) -> Adoption:
    """Copy the users of Prisma's table into ours, with their ids, in batches of one transaction each.

    A column is found by the name that ours has, in camelCase or in snake_case. Only an id and an address are needed:
    where there is none for it the role is USER, everybody is active, and was created now. Ids that are integers or
    UUIDs become their text. Of users whose addresses become one, the first by id is taken, which is the oldest with
    Prisma's `cuid()`. Sessions and links do not move: their tokens are readable in the old tables, so people sign in
    again. The old tables are only read. It can be stopped and run again; users that were copied already are left as
    they are.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        schema: where the table is.
        table: its name; None for the only one of `User`, `users`, `user` and `Users`.
        columns: columns of the table by ours, those of the application's own class of users among them; empty text for
            the default.
        batch_size: how many users at a time.
        on_progress: called after each batch with the sum so far.

    Raises:
        BaselineError: there is no such table or column, or one of a type that cannot be read; a time is neither a
            timestamp, which is read as UTC, nor a timestamp with time zone; the ids are not unique.
        PendingMigrationsError: our tables are not there.
        MigrationLockedError: another process is migrating the database.
        DatabaseUnavailableError: the database cannot be reached, or was lost on the way.

    Example:
        >>> adopt_prisma("postgresql://app@db.example/app", columns={"created_at": "joined"}).taken  # doctest: +SKIP
        100000
    """
    engine = engine_for(target)
    done, after = Adoption(), None
    with explained("Adopting the users", engine.url), migration_lock(engine) as connection:
        source = find_source(connection, schema=schema, table_name=table, columns=columns or {})
        take = _take(source)
        begin_migrating(connection, lock_timeout=timedelta(seconds=5))
        while rows := connection.execute(source.batch(after, batch_size)).all():
            done, after = done + _adopted(connection, take, rows), rows[-1].key
            connection.commit()
            if on_progress:
                on_progress(done)
    return done


def _take(source: Source) -> Insert:
    addresses = {name: cast(bindparam(name), ARRAY(Text)) for name in ("ids", "emails")}
    given = (
        func.unnest(*addresses.values())
        .table_valued(column("id", Text), column("email", Text), name="given")
        .render_derived()
    )
    others = {name: value for name, value in source.values.items() if name not in {"id", "email"}}
    rows = (
        select(given.c.id, given.c.email, *others.values())
        .select_from(source.table.join(given, source.values["id"] == given.c.id))
        .where(source.key.between(bindparam("first"), bindparam("last")))
        .order_by(source.key)
    )
    names = ("id", "email", *others)
    users = table_of("users", *map(column, names), schema=SCHEMA)
    return insert(users).from_select(names, rows).on_conflict_do_nothing().returning(users.c.id)


def _adopted(connection: Connection, take: Insert, rows: Sequence[Row[Any]]) -> Adoption:
    emails, refused = judged(rows)
    given = {"ids": list(emails), "emails": list(emails.values()), "first": rows[0].key, "last": rows[-1].key}
    taken = set(connection.scalars(take, given))
    left = {id_: email for id_, email in emails.items() if id_ not in taken}
    there = connection.execute(_THERE, {"ids": list(left), "emails": list(left.values())}).all()
    ids, owners = {row.id for row in there}, {row.email: row.id for row in there}
    merged = tuple(Merged(id=id_, kept=owners[email], email=email) for id_, email in left.items() if id_ not in ids)
    return Adoption(taken=len(taken), present=len(left) - len(merged), merged=merged, refused=refused)
