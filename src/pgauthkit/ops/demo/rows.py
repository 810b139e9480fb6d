"""The rows that the demo makes: what they look like at rest, a search for secrets in them, and their removal."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
from sqlalchemy import ColumnElement, Engine, Table, delete, select

from pgauthkit.config import AuthConfig
from pgauthkit.database.unavailable import translated
from pgauthkit.hashing import KEPT_BYTES, Hasher, Purpose
from pgauthkit.models import SCHEMA, Base
from pgauthkit.secret import Secret
from pgauthkit.tokens import Kind, SecretToken, SessionToken

__all__ = ["DemoRows", "Row", "Search", "kept_hash", "search"]

Row: TypeAlias = Mapping[str, object]

TABLES: Final = ("users", "magic_links", "sessions", "devices", "rate_limits")
_PURPOSES: Final = {
    Kind.MAGIC_LINK: Purpose.MAGIC_LINK,
    Kind.ACCESS: Purpose.ACCESS,
    Kind.REFRESH: Purpose.REFRESH,
    Kind.HANDOFF: Purpose.HANDOFF,
    Kind.DEVICE: Purpose.DEVICE,
}


@attrs.frozen(kw_only=True)
class Search:
    """What a search for secrets found.

    Attributes:
        secrets: how many were looked for.
        found: how many are there, as text or as bytes.
        hashes: of how many the hash is there; it shows that the search would have found the others.
        rows: how many rows were searched, in every column.
    """

    secrets: int
    found: int
    hashes: int
    rows: int


class DemoRows:
    """The rows of one address, in all our tables; nobody else's are read or removed.

    Args:
        engine: where they are.
        email: the address.
        buckets: the keys of its rate limits.
    """

    def __init__(self, engine: Engine, email: str, buckets: Collection[bytes]) -> None:
        self._engine = engine
        users, links, sessions, devices, limits = (_table(name) for name in TABLES)
        ids = select(users.c.id).where(users.c.email == email)
        # In the order of a removal: sessions and devices are found by their user.
        self._which: dict[Table, ColumnElement[bool]] = {
            limits: limits.c.key.in_(buckets),
            links: links.c.email == email,
            sessions: sessions.c.user_id.in_(ids),
            devices: devices.c.user_id.in_(ids),
            users: users.c.email == email,
        }

    def read(self) -> dict[str, list[Row]]:
        """Return the rows of each table, the oldest first. Reads only."""
        tables: dict[str, list[Row]] = {}
        with translated(self._engine.url), self._engine.connect() as connection:
            for table, which in self._which.items():
                order = table.primary_key.columns.values()
                rows = connection.execute(select(table).where(which).order_by(*order)).mappings()
                tables[table.name] = [dict(row) for row in rows]
        return tables

    def remove(self, *, with_user: bool) -> None:
        """Delete the rows, in one transaction; the user's as well where that is wanted."""
        with translated(self._engine.url), self._engine.begin() as connection:
            for table, which in self._which.items():
                if with_user or table.name != "users":
                    connection.execute(delete(table).where(which))


def search(tables: Mapping[str, Sequence[Row]], issued: Collection[Secret]) -> Search:
    """Search every column of some rows for secrets, and for their hashes.

    Args:
        tables: the rows of each table, as `DemoRows.read` returns them.
        issued: tokens that were made without a pepper.

    Example:
        >>> search({"users": [{"email": "ada@demo.example"}]}, [])
        Search(secrets=0, found=0, hashes=0, rows=1)
    """
    rows = [row for found in tables.values() for row in found]
    dump = "\n".join(_as_text(value) for row in rows for value in row.values())
    return Search(
        secrets=len(issued),
        found=sum(any(spelling in dump for spelling in _spellings(token)) for token in issued),
        hashes=sum(kept_hash(token).hex() in dump for token in issued),
        rows=len(rows),
    )


def kept_hash(token: Secret) -> bytes:
    """Return what the tables keep of a token that was made without a pepper: SHA-256, labelled by purpose.

    Of the tokens of a session it is the first half.
    """
    digest = Hasher(AuthConfig()).digest(_PURPOSES[_kind(token)], _proof_of(token), 0)
    return digest[:KEPT_BYTES] if isinstance(_parsed(token), SessionToken) else digest


def _spellings(token: Secret) -> tuple[str, ...]:
    # Without what is the same in every token: the prefix could be cut off before storing.
    payload = token.reveal().rpartition("_")[2]
    return payload, payload.encode().hex(), _parsed(token).secret.hex()


def _proof_of(token: Secret) -> bytes:
    parsed = _parsed(token)
    return parsed.proof if isinstance(parsed, SessionToken) else parsed.secret


def _parsed(token: Secret) -> SecretToken | SessionToken:
    kind = _kind(token)
    parse = SessionToken.parse if kind in {Kind.ACCESS, Kind.REFRESH} else SecretToken.parse
    return parse(kind, token.reveal())


def _kind(token: Secret) -> Kind:
    return Kind(token.reveal().split("_")[1])


def _as_text(value: Any) -> str:  # noqa: ANN401 - whatever a column holds
    return value.hex() if isinstance(value, bytes) else str(value)


def _table(name: str) -> Table:
    return Base.metadata.tables[f"{SCHEMA}.{name}"]
