"""The books against the database: is all that was acknowledged there?"""

from collections.abc import Iterator
from typing import Final, LiteralString

import psycopg
from tests.cluster.load import CONFIG, Book, Broken

from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.errors import AuthenticationError

ENDED: Final[LiteralString] = """
SELECT id FROM pgauthkit.sessions WHERE id = ANY(%s) AND revoked_at IS NOT NULL
"""
SESSIONS: Final[LiteralString] = """
SELECT u.email::text, count(*) FROM pgauthkit.users u JOIN pgauthkit.sessions s ON s.user_id = u.id
WHERE u.email = ANY(%s) GROUP BY 1
"""
UNUSED: Final[LiteralString] = """
SELECT email::text FROM pgauthkit.magic_links WHERE email = ANY(%s) AND used_at IS NULL
"""


def missing(book: Book, url: str) -> Iterator[Broken]:
    """Yield what was acknowledged and is not there, or is there twice."""
    yield from _dead(book, url)
    addresses = list(book.signed_in)
    with psycopg.connect(url) as connection:
        ended = {row[0] for row in connection.execute(ENDED, [list(book.ended)])}
        opened: dict[str, int] = dict(connection.execute(SESSIONS, [addresses]).fetchall())
        unused = {row[0] for row in connection.execute(UNUSED, [addresses])}
    for session, at in book.ended.items():
        if session not in ended:
            yield Broken(what="a sign-out was undone", acknowledged=at)
    for address, at in book.signed_in.items():
        if opened.get(address) != 1:
            yield Broken(what=f"{opened.get(address, 0)} sessions of one sign-in", acknowledged=at)
        if address in unused:
            yield Broken(what="a link is good again", acknowledged=at)


def _dead(book: Book, url: str) -> Iterator[Broken]:
    engine = create_engine(url)
    auth = AuthService(engine, CONFIG)
    for live in book.live:
        try:
            auth.authenticate(live.pair.access_token.reveal())
        except AuthenticationError as refusal:
            yield Broken(what=f"a session's newest token is refused: {refusal!r}", acknowledged=live.acknowledged)
    engine.dispose()
