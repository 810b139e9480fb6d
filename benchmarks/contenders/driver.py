"""psycopg by itself: one prepared statement, in autocommit, on one connection and one cursor a client.

Variants: none for the least that does the job; `ours` for pgauthkit's own statement where that is another one;
`several` for verify_link as several statements in a transaction.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.block import Order, order, serve
from benchmarks.contenders import several
from benchmarks.contenders.scene import Scene
from benchmarks.contenders.statements import asking

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


def main(given: Order) -> None:
    """Do what was ordered."""
    scene = Scene.of(given)
    if given.variant == "several":
        several.main(given, scene)
    else:
        one_statement(given, scene)


if __name__ == "__main__":
    main(order())
