"""What models and values are made of: ids, addresses, moments, tokens."""

import string
from datetime import UTC, datetime
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pgauthkit.client import clean_ip
from pgauthkit.email_address import canonical_email
from pgauthkit.secret import Secret
from pgauthkit.tokens import Kind, SecretToken, SessionToken

__all__ = [
    "emails",
    "ids",
    "ips",
    "link_tokens",
    "moments",
    "redirects",
    "session_tokens",
    "user_agents",
]

_DIGITS: Final = string.digits + string.ascii_lowercase
_UNRESERVED: Final = string.ascii_letters + string.digits + "-._~"  # RFC 3986 section 2.3
_FIRST: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - hypothesis takes bounds without a zone
_LAST: Final = datetime(2100, 1, 1)  # noqa: DTZ001 - the same


def ids() -> SearchStrategy[str]:
    """Identifiers of rows: `c` and 24 characters of `0-9a-z`.

    Example:
        >>> given(ids())  # doctest: +SKIP
    """
    return st.text(_DIGITS, min_size=24, max_size=24).map("c{}".format)


def emails() -> SearchStrategy[str]:
    """Addresses in their canonical form."""
    names = st.from_regex(r"[a-z][a-z0-9]{0,20}([.+-][a-z0-9]{1,20})?", fullmatch=True)
    domains = st.from_regex(r"[a-z][a-z0-9]{0,20}\.(example|test|com)", fullmatch=True)
    return st.builds("{}@{}".format, names, domains).map(canonical_email)


def ips() -> SearchStrategy[str]:
    """Addresses of IPv4 and IPv6, as the service keeps them."""
    return st.ip_addresses().map(lambda address: clean_ip(str(address)) or "")


def user_agents() -> SearchStrategy[str]:
    """What a browser may call itself."""
    return st.text(string.ascii_letters + string.digits + " ./();:", min_size=1, max_size=80).filter(str.strip)


def redirects() -> SearchStrategy[str]:
    """Paths that a link may lead to."""
    return st.lists(st.text(_UNRESERVED, min_size=1, max_size=12).filter(lambda part: part.strip(".")), max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    )


def moments() -> SearchStrategy[datetime]:
    """Times of this century, in UTC, to the microsecond, as PostgreSQL keeps them."""
    return st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))


def link_tokens(kind: Kind = Kind.MAGIC_LINK) -> SearchStrategy[Secret]:
    """Well-formed tokens of magic links, or another of one secret, which no database knows."""
    return st.binary(min_size=32, max_size=32).map(lambda secret: SecretToken(0, secret).text(kind))


def session_tokens(kind: Kind = Kind.ACCESS) -> SearchStrategy[Secret]:
    """Well-formed tokens of sessions, which no database knows."""
    parts = st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32))
    return parts.map(lambda both: SessionToken(0, *both).text(kind))
