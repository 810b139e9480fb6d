"""psycopg by itself at a repository's work: prepared, in autocommit, on one cursor a client, rows left as tuples."""

from collections.abc import Callable
from typing import Any, Final

import psycopg

from benchmarks.block import Order, order, serve, serve_batches
from benchmarks.contenders.records import MANY, URL, bulk_rows, keys, supply, tidy
from benchmarks.contenders.tables import OWN, Tables, tables
from pgauthkit.identifiers import new_id

__all__ = ["main"]

Row = tuple[Any, ...]
# The statement of each work; `include` is two: these users, and their sessions.
SQL: Final = {
    "find_unique": "SELECT * FROM {users} WHERE email = %(key)s",
    "find_many": "SELECT * FROM {users} WHERE id > %(key)s ORDER BY id LIMIT 100",
    "include": "SELECT * FROM {users} WHERE id > %(key)s ORDER BY id LIMIT 100",
    "find_many_10000": "SELECT * FROM {users} ORDER BY id LIMIT %(many)s",
    "page": "SELECT * FROM {users} WHERE id > %(key)s ORDER BY id LIMIT 101",
    "create": """INSERT INTO {links} (id, {token}, email, {expires_at})
        VALUES (%(id)s, %(token)s, %(key)s, %(expires_at)s) RETURNING *""",
    "update": """UPDATE {users} SET {last_login_at} = %(now)s, {updated_at} = %(now)s
        WHERE email = %(key)s RETURNING *""",
    "upsert": """INSERT INTO {users} (id, email, {updated_at}) VALUES (%(id)s, %(key)s, %(now)s)
        ON CONFLICT (email) DO UPDATE SET {last_login_at} = %(now)s, {updated_at} = %(now)s RETURNING *""",
}
SESSIONS: Final = "SELECT *, {user_id} AS owner FROM {sessions} WHERE {user_id} = ANY(%(ids)s)"
COPY: Final = "COPY {users} ({columns}) FROM STDIN (FORMAT BINARY)"


def parameters_of(of: Tables, work: str) -> Callable[[Any], dict[str, Any]]:
    """Return what a statement is sent with, by the key."""
    if work == "create":
        return lambda key: {
            "id": new_id(),
            "key": key,
            "token": of.new_token(),
            "expires_at": of.new_link(key)["expires_at"],
        }
    if work in ("update", "upsert"):
        return lambda key: {"id": new_id(), "key": key, "now": of.now()}
    return lambda key: {"key": key, "many": MANY}


def operation(of: Tables, work: str) -> Callable[[Any], object]:
    """Return the work of one client, on a connection of its own."""
    execute = psycopg.connect(URL, autocommit=True).cursor().execute
    sql, children = SQL[work].format(**of.names).encode(), SESSIONS.format(**of.names).encode()
    parameters = parameters_of(of, work)

    def one(key: object) -> None:
        assert execute(sql, parameters(key), prepare=True).fetchall()

    def include(key: object) -> dict[str, Any]:
        found: dict[str, tuple[Row, list[Row]]] = {
            row[0]: (row, []) for row in execute(sql, {"key": key}, prepare=True)
        }
        for session in execute(children, {"ids": list(found)}, prepare=True):
            found[session[-1]][1].append(session)
        return found

    return include if work == "include" else one


def copy(given: Order, of: Tables) -> None:
    """Serve `create_many` by COPY in the binary format, of rows that are ready: what the tables have no default for."""
    connection, rows = psycopg.connect(URL, autocommit=True), bulk_rows(given)
    columns = ("id", "email") if of is OWN else ("id", "email", of.names["updated_at"])
    sql = COPY.format(columns=", ".join(columns), **of.names).encode()

    def write(ready: list[Row]) -> None:
        with connection.cursor() as cursor, cursor.copy(sql) as target:
            target.set_types(["text", "text", "timestamp"][: len(columns)])
            for row in ready:
                target.write_row(row)

    def prepare() -> list[Row]:
        now = of.now()
        return [(new_id(), row["email"], now)[: len(columns)] for row in rows()]

    serve_batches(prepare, write, lambda: tidy(of))


def main(given: Order) -> None:
    """Do what was ordered."""
    of = tables()
    if given.work == "create_many":
        return copy(given, of)
    return serve(given.clients, supply(keys(of, given.work)), lambda: operation(of, given.work))


if __name__ == "__main__":
    main(order())
