"""Which rate limits a request is counted under, and their keys."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import attrs

from pgauthkit.client import ip_bucket, network_bucket
from pgauthkit.config import AuthConfig, RateLimit, RateLimits
from pgauthkit.hashing import Hasher, Purpose
from pgauthkit.tokens import SecretToken

__all__ = [
    "Limits",
    "change_limits",
    "code_limits",
    "invitation_limits",
    "link_limits",
    "longest",
    "match_limits",
    "parameters",
]

Limits = Mapping[str, tuple[bytes, RateLimit]]

_OFF: Final = RateLimits(
    per_ip=None,
    per_network=None,
    per_email=None,
    per_email_and_ip=None,
    per_email_and_network=None,
    per_device=None,
    code_attempts=None,
    wrong_matches=None,
    per_invitation=None,
    per_email_change=None,
)


def link_limits(
    config: AuthConfig, hasher: Hasher, email: str, ip: str | None, device: SecretToken | None = None
) -> Limits:
    """Return the limits on asking for a link, in the order in which they are asked: first that of a known device.

    The address's own comes last: all who ask for it wait for its row, and for as short a time as can be. An IPv4
    address is its own network, whose limit is asked where it may refuse what the ip's lets through.
    """
    limits = config.rate_limits or _OFF
    household, network = _buckets(limits, ip)
    # What is behind the household's limits: nothing where it is the network.
    per_ip, per_email = (limits.per_ip, limits.per_email_and_ip) if household == network else (None, None)
    wanted = {
        "email_and_ip": (household and f"{email} {household}", limits.per_email_and_ip),
        "email_and_network": (network and f"{email} {network}", _wider(limits.per_email_and_network, per_email)),
        "ip": (household, limits.per_ip),
        "network": (network, _wider(limits.per_network, per_ip)),
        "email": (email, limits.per_email),
    }
    return _behind_device(
        _named(hasher, **wanted),
        _named(hasher, device=(_subject(device), limits.per_device)),
    )


def code_limits(config: AuthConfig, hasher: Hasher, ip: str | None, device: SecretToken | None = None) -> Limits:
    """Return the limits on trying codes: a known device's, and one whose key the statement completes by the address."""
    limits = config.rate_limits or _OFF
    household, _ = _buckets(limits, ip)
    return _behind_device(
        _named(hasher, code=(household, limits.code_attempts)),
        _named(hasher, code_device=(_subject(device), limits.code_attempts)),
    )


def match_limits(config: AuthConfig, hasher: Hasher) -> Limits:
    """Return the limit on wrong numbers; its key is completed by the statement, which knows the address."""
    return _named(hasher, match=("", (config.rate_limits or _OFF).wrong_matches))


def invitation_limits(config: AuthConfig, hasher: Hasher, email: str) -> Limits:
    """Return the limit on inviting an address: of its own, so that invitations keep nobody from signing in."""
    return _named(hasher, invitation=(email, (config.rate_limits or _OFF).per_invitation))


def change_limits(config: AuthConfig, hasher: Hasher, user_id: str, email: str) -> Limits:
    """Return the limits on asking for a change of address: the user's, and that of the new address."""
    limit = (config.rate_limits or _OFF).per_email_change
    return _named(hasher, change_user=(user_id, limit), change_email=(email, limit))


def _named(hasher: Hasher, **wanted: tuple[str | None, RateLimit | None]) -> Limits:
    return {
        name: (hasher.key(Purpose.LIMIT, f"{name} {subject}"), limit)
        for name, (subject, limit) in wanted.items()
        if limit and subject is not None
    }


def _subject(device: SecretToken | None) -> str | None:
    return device.secret.hex() if device else None


def _behind_device(limits: Limits, of_device: Limits) -> Limits:
    # Where nobody is limited there is nothing to be let through by.
    return {**of_device, **limits} if limits else {}


def longest(config: AuthConfig) -> timedelta:
    """Return how far ahead of the time a bucket can be that was filled by a right clock."""
    limits = attrs.asdict(config.rate_limits or _OFF, recurse=False).values()
    return max((_tolerance(limit) for limit in limits if isinstance(limit, RateLimit)), default=timedelta())


def parameters(limits: Limits) -> dict[str, object]:
    """Return the parameters of `pgauthkit.statements.rate_limits.bucket` for each limit."""
    found: dict[str, object] = {}
    for name, (key, limit) in limits.items():
        found |= {
            f"{name}_key": key,
            f"{name}_interval": limit.interval,
            f"{name}_tolerance": _tolerance(limit),
        }
    return found


def _buckets(limits: RateLimits, ip: str | None) -> tuple[str | None, str | None]:
    return (ip_bucket(ip, limits.household_prefix), network_bucket(ip)) if ip else (None, None)


def _wider(limit: RateLimit | None, narrow: RateLimit | None) -> RateLimit | None:
    if limit and narrow and narrow.interval >= limit.interval and _tolerance(narrow) <= _tolerance(limit):
        return None
    return limit


def _tolerance(limit: RateLimit) -> timedelta:
    return limit.interval * limit.burst
