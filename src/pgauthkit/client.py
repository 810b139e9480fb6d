"""The one who asks: the address and the browser, made fit for storing and for counting."""

import ipaddress
import logging
import re
from typing import Final

__all__ = ["clean_ip", "clean_user_agent", "ip_bucket", "network_bucket"]

LONGEST_IP: Final = 64
LONGEST_USER_AGENT: Final = 512
HOUSEHOLD: Final = 56  # bits: RIPE-690 section 4.2 wants at least a /56 for each home, and a /48 is the most it names
NETWORK: Final = 48
UNKNOWN: Final = "unknown"
# The well-known prefix of NAT64 (RFC 6052 section 2.1), and the one of SIIT (RFC 2765 section 2.1).
_TRANSLATED: Final = tuple(ipaddress.IPv6Network(prefix) for prefix in ("64:ff9b::/96", "::ffff:0:0:0/96"))
_BRACKETED: Final = re.compile(r"\[([^\]]*)\](?::\d{1,5})?")
_WITH_PORT: Final = re.compile(r"([^:]*):\d{1,5}")
_LOGGER: Final = logging.getLogger("pgauthkit")
_NO_ADDRESS: Final = (
    "The ip given to pgauthkit is no address but %a; all such requests share one rate limit. Pass the client's "
    "address, as the proxy that you trust reports it, or None."
)
_BLANK: Final = (
    "The ip given to pgauthkit is blank, so that the rate limits by ip and network are skipped. Pass the client's "
    "address: behind a Unix socket or a proxy it is in the header that the proxy sets. Where there is none, pass None."
)
_REPORTED: Final[set[str]] = set()  # messages; a second writer at the same moment says one twice, which harms nobody

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def clean_ip(ip: object) -> str | None:
    """Return an ip address in its canonical spelling, IPv4-mapped IPv6 as IPv4, without port or zone; None for nothing.

    Nothing is also '' and blanks, which some servers report as the client of a Unix socket: the log says so once. What
    is no ip address (a proxy's host name, a list of addresses) is kept as text, so that it can be read in the row; an
    object of `ipaddress` counts as its text.

    Example:
        >>> clean_ip("::ffff:203.0.113.7"), clean_ip("[2001:db8::1]:443")
        ('203.0.113.7', '2001:db8::1')
    """
    text = (_clean(ip, LONGEST_IP) or "").strip() or None
    if text is None and ip is not None:
        _report_once(_BLANK)
    address = text and _parse(text)
    return str(address) if address else text


def clean_user_agent(user_agent: object) -> str | None:
    """Return a browser's name as it can be stored: no NUL, no lone surrogate, at most 512 characters."""
    return _clean(user_agent, LONGEST_USER_AGENT)


def ip_bucket(ip: str, prefix: int = HOUSEHOLD) -> str:
    """Return what a rate limit counts for a cleaned ip: the IPv4 address, or the household of an IPv6 one.

    A subscriber has a /56 or a /48 (RIPE-690), so counting single IPv6 addresses limits nobody. An IPv4 address
    behind NAT64 is that address. Whatever is no address is one bucket, and the log says once what it was: a host that
    passes a header's text would else give each spelling a bucket of its own.

    Example:
        >>> ip_bucket("2001:db8::1"), ip_bucket("64:ff9b::203.0.113.7"), ip_bucket("proxy.internal")
        ('2001:db8::/56', '203.0.113.7', 'unknown')
    """
    address = _parse(ip)
    if address is None:
        _report_once(_NO_ADDRESS, ip)
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        if not any(address in network for network in _TRANSLATED):
            return str(ipaddress.ip_network((int(address), prefix), strict=False))
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return str(address)


def network_bucket(ip: str) -> str:
    """Return the wider bucket behind an ip's own: the /48 of an IPv6 address, the most that one line is given.

    Example:
        >>> network_bucket("2001:db8:0:ff00::1"), network_bucket("203.0.113.7")
        ('2001:db8::/48', '203.0.113.7')
    """
    return ip_bucket(ip, NETWORK)


def _clean(text: object, longest: int) -> str | None:
    if text is None:
        return None
    return str(text).replace("\0", "")[:longest].encode("utf-8", "replace").decode() or None


def _parse(text: str | None) -> Address | None:
    bare = (text or "").strip().strip('"')
    if found := _BRACKETED.fullmatch(bare) or _WITH_PORT.fullmatch(bare):
        bare = found[1]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0].strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _report_once(message: str, *values: str) -> None:
    if message not in _REPORTED:
        _REPORTED.add(message)
        _LOGGER.warning(message, *values)
