"""psycopg by itself: one prepared statement, in autocommit, on one connection and one cursor a client.

Variants: none for the least that does the job; `ours` for pgauthkit's own statement where that is another one;
`several` for verify_link as several statements in a transaction.
"""

import itertools
from collections.abc import Callable
from typing import Any

from benchmarks.block import Order, order, serve, serve_batches
from benchmarks.contenders import several
from benchmarks.contenders.scene import Scene
from benchmarks.contenders.service import BULK
from benchmarks.contenders.statements import SESSIONS_OF, USERS_100, asking, include_keys
from pgauthkit.identifiers import new_id

__all__ = ["main"]


def one_statement(given: Order, scene: Scene) -> None:
    """Serve a work load that is one statement."""
    wanted = asking(scene, given.work, least=given.variant != "ours")
    after = wanted.after

    def connect() -> Callable[[Any], object]:
        execute = scene.connect().cursor().execute

        def operation(parameters: dict[str, Any]) -> None:
            assert execute(wanted.sql.encode(), parameters, prepare=True).fetchall()
            after(parameters)

        return operation

    serve(given.clients, wanted.supply, connect)


def include(given: Order, scene: Scene) -> None:
    """Serve 100 users with their sessions, in two statements."""

    def connect() -> Callable[[Any], object]:
        execute = scene.connect().cursor().execute

        def operation(parameters: dict[str, Any]) -> dict[str, Any]:
            users = execute(USERS_100, parameters, prepare=True).fetchall()
            found: dict[str, Any] = {user[0]: (user, []) for user in users}
            for session in execute(SESSIONS_OF, {"ids": list(found)}, prepare=True).fetchall():
                found[session[-1]][1].append(session)
            return found

        return operation

    serve(given.clients, include_keys(scene), connect)


def copy(scene: Scene) -> None:
    """Serve `create_many` by COPY in the binary format, of rows that are ready."""
    connection, rounds = scene.connect(), itertools.count()

    def prepare() -> list[tuple[str, str]]:
        stamp = f"{scene.slot}-{next(rounds)}"
        return [(new_id(), f"bulk-{stamp}-{n}@example.com") for n in range(BULK)]

    def write(rows: list[tuple[str, str]]) -> None:
        command = "COPY pgauthkit.users (id, email) FROM STDIN (FORMAT BINARY)"
        with connection.cursor() as cursor, cursor.copy(command) as target:
            target.set_types(["text", "text"])
            for row in rows:
                target.write_row(row)

    def tidy() -> None:
        connection.execute("DELETE FROM pgauthkit.users WHERE email LIKE 'bulk-%'")
        connection.execute("VACUUM (ANALYZE) pgauthkit.users")

    serve_batches(prepare, write, tidy)


def main(given: Order) -> None:
    """Do what was ordered."""
    scene = Scene.of(given)
    if given.variant == "several":
        several.main(given, scene)
    elif given.work == "include":
        include(given, scene)
    elif given.work == "create_many":
        copy(scene)
    else:
        one_statement(given, scene)


if __name__ == "__main__":
    main(order())
