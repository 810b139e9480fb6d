"""Rows for a benchmark, the same in each run: every token and every hash follows from a number."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from pgauthkit.hashing import FOUND_BY_BYTES, KEPT_BYTES
from pgauthkit.service.pairs import Pair
from pgauthkit.tokens import GENERATION_BYTES, SecretToken, SessionToken

__all__ = ["copy_links", "copy_sessions", "copy_users", "email_of", "link_of", "pair_of", "users_of"]

SESSIONS_PER_USER: Final = 2
CHUNK: Final = 5000
FIRST: Final = bytes(GENERATION_BYTES)  # the generation of a new session's tokens, which is hashed with their secrets

_USERS: Final = "COPY pgauthkit.users (id, email) FROM STDIN"
_SESSIONS: Final = """COPY pgauthkit.sessions (id, selector_hash, access_token_hash, refresh_token_hash,
    authenticated_at, last_used_at, access_expires_at, idle_expires_at, expires_at, user_id) FROM STDIN"""
_LINKS: Final = "COPY pgauthkit.magic_links (id, token_hash, email, expires_at) FROM STDIN"


def users_of(sessions: int) -> int:
    """Return how many users go with so many sessions."""
    return sessions // SESSIONS_PER_USER


def user_id(number: int) -> str:
    """Return the id of a user."""
    return "c" + hashlib.md5(b"user %d" % number, usedforsecurity=False).hexdigest()[:24]


def email_of(number: int) -> str:
    """Return the address of a user."""
    return f"user{number}@example.com"


def pair_of(number: int) -> Pair:
    """Return the tokens of a session."""
    refresh = SessionToken(0, _digest(b"selector %d" % number)[:16], _digest(b"refresh %d" % number))
    return Pair(SessionToken(0, refresh.access_selector, _digest(b"access %d" % number)), refresh)


def link_of(number: int) -> SecretToken:
    """Return the token of a magic link."""
    return SecretToken(0, _digest(b"link %d" % number))


def copy_users(connection: psycopg.Connection[Any], count: int) -> None:
    """Write users by COPY."""
    _copy(connection, _USERS, ((user_id(number), email_of(number)) for number in range(count)))


def copy_sessions(connection: psycopg.Connection[Any], numbers: Iterable[int], users: int) -> None:
    """Write sessions of these users by COPY; used half a day from now, so that no read of them moves `last_used_at`."""
    now = datetime.now(UTC)
    moments = [str(now + timedelta(days=days)) for days in (0, 0.5, 20, 25, 30)]
    _copy(connection, _SESSIONS, (_session(number, users, moments) for number in numbers))


def copy_links(connection: psycopg.Connection[Any], numbers: Iterable[int], users: int) -> None:
    """Write links by COPY, good for an hour."""
    until = str(datetime.now(UTC) + timedelta(hours=1))
    rows = (
        (f"l{number}", _hash(b"magic-link", link_of(number).secret), email_of(number % users), until)
        for number in numbers
    )
    _copy(connection, _LINKS, rows)


def _session(number: int, users: int, moments: list[str]) -> tuple[str, ...]:
    # Written out, as `Pair.hashes` takes three times as long.
    selector = _digest(b"at" + _digest(b"selector %d" % number)[:16])[:16]
    return (
        f"s{number}",
        _hash(b"selector", selector, FOUND_BY_BYTES),
        _hash(b"access", FIRST + _digest(b"access %d" % number), KEPT_BYTES),
        _hash(b"refresh", FIRST + _digest(b"refresh %d" % number), KEPT_BYTES),
        *moments,
        user_id(number % users),
    )


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _hash(purpose: bytes, secret: bytes, size: int = 32) -> str:
    """Return how the service stores a secret, without a pepper, as COPY reads it."""
    return "\\\\x" + hashlib.sha256(purpose + b"\0" + secret).digest()[:size].hex()


def _copy(connection: psycopg.Connection[Any], command: str, rows: Iterable[tuple[str, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(command.encode()) as copy:
        for lines in _chunks("\t".join(row) + "\n" for row in rows):
            copy.write(lines)


def _chunks(lines: Iterable[str]) -> Iterator[str]:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == CHUNK:
            yield "".join(chunk)
            chunk.clear()
    yield "".join(chunk)
