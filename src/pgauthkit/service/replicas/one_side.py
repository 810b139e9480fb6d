"""`OneSide`: statements for a primary, or for a replica, on connections that may come to lead to the other."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import psycopg
from sqlalchemy import Engine
from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.database.runner import Autocommit, Parameters, Row, Wire

__all__ = ["OneSide"]

Ask = Callable[[PoolProxiedConnection, str, Parameters], list[Row]]


class OneSide(Autocommit):
    """Runs statements whose first column is null on a server of the other kind.

    A server keeps its connections when it is promoted, and some when it is demoted. One that leads to the wrong kind is
    closed, so that the next is made anew, and `target_session_attrs` or a proxy chooses again.
    """

    def __init__(self, engine: Engine, wire: Wire) -> None:
        super().__init__(engine, wire)
        self._ask = partial(_ask_there, self._ask)


def _ask_there(ask: Ask, connection: PoolProxiedConnection, sql: str, parameters: Parameters) -> list[Row]:
    rows = ask(connection, sql, parameters)
    if rows and rows[0][0] is None:
        cast("Any", connection.driver_connection).pgconn.finish()
        raise psycopg.OperationalError
    return rows
