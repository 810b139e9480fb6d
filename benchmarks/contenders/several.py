"""Verifying a link as most would write it: a transaction of several statements, each prepared, on the bare driver."""

from collections.abc import Callable
from typing import Any, Final

import psycopg

from benchmarks.block import Order, serve
from benchmarks.contenders.scene import Scene
from benchmarks.contenders.statements import asking

__all__ = ["main"]

Parameters = dict[str, Any]

LINK: Final = b"""SELECT id, email, used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
    FROM pgauthkit.magic_links WHERE token_hash = %(token_hash)s FOR UPDATE"""
USER: Final = b"""UPDATE pgauthkit.users SET last_login_at = now(), updated_at = now()
    WHERE email = %(email)s AND is_active RETURNING id, email, role"""
CONSUME: Final = b"UPDATE pgauthkit.magic_links SET used_at = now(), user_id = %(user)s WHERE id = %(link)s"
OTHERS: Final = b"""UPDATE pgauthkit.magic_links SET revoked_at = now()
    WHERE email = %(email)s AND used_at IS NULL AND revoked_at IS NULL AND id <> %(link)s"""
SESSION: Final = b"""INSERT INTO pgauthkit.sessions (id, selector_hash, access_token_hash, refresh_token_hash,
    authenticated_at, last_used_at, access_expires_at, idle_expires_at, expires_at, user_id)
    VALUES (%(session_id)s, %(selector_hash)s, %(access_token_hash)s, %(refresh_token_hash)s, now(), now(),
    now() + make_interval(secs => %(access_ttl)s), now() + make_interval(secs => %(session_idle_ttl)s),
    now() + make_interval(secs => %(session_ttl)s), %(user)s)
    RETURNING authenticated_at, access_expires_at, expires_at"""


def main(given: Order, scene: Scene) -> None:
    """Serve verify_link."""

    def connect() -> Callable[[Any], object]:
        connection = scene.connect()
        return lambda parameters: _verify(connection, parameters)

    serve(given.clients, asking(scene, "verify_link", least=True).supply, connect)


def _verify(connection: psycopg.Connection[Any], given: Parameters) -> object:
    def ask(sql: bytes, **more: object) -> list[Any]:
        cursor = connection.execute(sql, {**given, **more}, prepare=True)
        return cursor.fetchall() if cursor.description else []

    with connection.transaction():
        [(link, email, is_good)] = ask(LINK)
        [user] = ask(USER, email=email)
        ask(CONSUME, link=link, user=user[0])
        ask(OTHERS, link=link, email=email)
        [session] = ask(SESSION, user=user[0])
    assert is_good
    return user, session
