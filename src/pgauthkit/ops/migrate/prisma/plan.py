"""What taking over the users would do: said before it is done, with what becomes of the keys that lead to them."""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
from sqlalchemy import Connection, text
from sqlalchemy.types import String

from pgauthkit.models import SCHEMA
from pgauthkit.ops.migrate.prisma.outcome import Adoption, Merged, judged
from pgauthkit.ops.migrate.prisma.source import Source, find_source
from pgauthkit.ops.server.connection import Target, engine_for, own_connection
from pgauthkit.ops.server.failure import explained

__all__ = ["AdoptionPlan", "plan_adoption"]

_BATCH: Final = 10_000
_THERE: Final = text(f"SELECT id, email FROM {SCHEMA}.users WHERE id = ANY(:ids) OR email = ANY(:emails)")  # noqa: S608
# Of one column: with more than the id in a key there is no user to lead to.
_KEYS: Final = text(
    "SELECT format('%I.%I', nspname, relname) AS tab, quote_ident(conname) AS name, quote_ident(attname) AS col,"
    " format_type(atttypid, NULL) AS kind,"
    " (regexp_match(pg_get_constraintdef(pg_constraint.oid), 'REFERENCES .*?[)](.*)$'))[1] AS more"
    " FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
    " WHERE contype = 'f' AND cardinality(conkey) = 1 AND confrelid = to_regclass(:table) AND conparentid = 0"
    " AND confkey[1] = (SELECT attnum FROM pg_attribute WHERE attrelid = confrelid AND attname = :id)"
    " ORDER BY 1, 2"
)


@attrs.frozen(kw_only=True)
class AdoptionPlan:
    """What taking over the users would do now.

    Attributes:
        table: the table that they would come from.
        columns: what each column of ours would get, in words.
        outcome: what would become of the users.
        moves: statements that let the foreign keys that lead to the table lead to ours, once everybody is there. They
            are for a revision of the application's; columns that are no text become it.

    Example:
        >>> plan_adoption("postgresql://app@db.example/app").outcome.taken  # doctest: +SKIP
        100000
    """

    table: str
    columns: Mapping[str, str]
    outcome: Adoption
    moves: tuple[str, ...]


def plan_adoption(
    target: Target,
    *,
    schema: str = "public",
    table: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> AdoptionPlan:
    """Return what `adopt_prisma` would do with the same arguments. Reads only, all users among it.

    Raises:
        BaselineError: as for `adopt_prisma`.
        PendingMigrationsError: our tables are not there.
        DatabaseUnavailableError: the database cannot be reached, or was lost on the way.

    Example:
        >>> plan_adoption("postgresql://app@db.example/app").columns["role"]  # doctest: +SKIP
        'USER for everybody'
    """
    engine = engine_for(target)
    with explained("Looking at the users", engine.url), own_connection(engine) as connection:
        source = find_source(connection, schema=schema, table_name=table, columns=columns or {})
        quote = connection.dialect.identifier_preparer.quote
        full = f"{quote(schema)}.{quote(source.table.name)}"
        return AdoptionPlan(
            table=full,
            columns=source.told,
            outcome=_outcome(connection, source),
            moves=tuple(_moves(connection, source, full)),
        )


def _outcome(connection: Connection, source: Source) -> Adoption:
    sofar, after, owners = Adoption(), None, dict[str, str]()
    while rows := connection.execute(source.batch(after, _BATCH)).all():
        emails, refused = judged(rows)
        there = connection.execute(_THERE, {"ids": list(emails), "emails": list(emails.values())}).all()
        ids = {row.id for row in there}
        owners |= {row.email: row.id for row in there}
        present = [id_ for id_ in emails if id_ in ids]
        merged: list[Merged] = []
        for id_, email in emails.items():
            if id_ not in ids and owners.setdefault(email, id_) != id_:
                merged.append(Merged(id=id_, kept=owners[email], email=email))
        taken = len(emails) - len(present) - len(merged)
        sofar += Adoption(taken=taken, present=len(present), merged=tuple(merged), refused=refused)
        after = rows[-1].key
    return sofar


def _moves(connection: Connection, source: Source, full: str) -> Iterator[str]:
    is_text = isinstance(source.key.type, String)
    for key in connection.execute(_KEYS, {"table": full, "id": source.key.name}):
        yield f"ALTER TABLE {key.tab} DROP CONSTRAINT {key.name};"
        if not is_text:
            yield f"ALTER TABLE {key.tab} ALTER COLUMN {key.col} TYPE text USING {key.col}::text;"
        yield (
            f"ALTER TABLE {key.tab} ADD CONSTRAINT {key.name} FOREIGN KEY ({key.col})"
            f" REFERENCES {SCHEMA}.users (id){key.more} NOT VALID;"
        )
        yield f"ALTER TABLE {key.tab} VALIDATE CONSTRAINT {key.name};"
