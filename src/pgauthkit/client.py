"""Whoever asks: the address and the browser, made fit for storing and for counting."""

import ipaddress
from typing import Final

__all__ = ["clean_ip", "clean_user_agent", "ip_bucket"]

LONGEST_IP: Final = 64
LONGEST_USER_AGENT: Final = 512


def clean_ip(ip: object) -> str | None:
    """Return an ip address in its canonical spelling, IPv4-mapped IPv6 as IPv4, without a scope; None for nothing.

    What is no ip address (a proxy's host name, a test client's label) is kept as text, so that it is still limited; an
    object of `ipaddress` counts as its text.

    Example:
        >>> clean_ip("::ffff:203.0.113.7")
        '203.0.113.7'
    """
    text = _clean(ip, LONGEST_IP)
    address = _parse(text)
    return str(address) if address else text


def clean_user_agent(user_agent: object) -> str | None:
    """Return a browser's name as it can be stored: no NUL, no lone surrogate, at most 512 characters."""
    return _clean(user_agent, LONGEST_USER_AGENT)


def ip_bucket(ip: str) -> str:
    """Return what a rate limit counts for a cleaned ip: the IPv4 address, or the /64 network of an IPv6 one.

    A single subscriber commonly has a whole /64 (RFC 6177), so counting single IPv6 addresses limits nobody.

    Example:
        >>> ip_bucket("2001:db8::1")
        '2001:db8::/64'
    """
    address = _parse(ip)
    if not isinstance(address, ipaddress.IPv6Address):
        return ip
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _clean(text: object, longest: int) -> str | None:
    if text is None:
        return None
    return str(text).replace("\0", "")[:longest].encode("utf-8", "replace").decode() or None


def _parse(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0].strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
