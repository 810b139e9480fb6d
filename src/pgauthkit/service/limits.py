"""Which rate limits a request is counted under, and their keys."""

from collections.abc import Mapping
from typing import Final

from pgauthkit.client import ip_bucket
from pgauthkit.config import AuthConfig, RateLimit, RateLimits
from pgauthkit.hashing import Hasher, Purpose

__all__ = ["code_limits", "link_limits", "parameters"]

Limits = Mapping[str, tuple[bytes, RateLimit]]

_OFF: Final = RateLimits(per_ip=None, per_email=None, per_email_and_ip=None, code_attempts=None)


def link_limits(config: AuthConfig, hasher: Hasher, email: str, ip: str | None) -> Limits:
    """Return the limits on asking for a link, in the order in which they are asked.

    The address's own comes last, so that a stranger who is refused at this ip's share of it takes nothing from it.
    """
    limits, bucket = config.rate_limits or _OFF, ip and ip_bucket(ip)
    wanted = {
        "ip": (bucket, limits.per_ip),
        "email_and_ip": (bucket and f"{email} {bucket}", limits.per_email_and_ip),
        "email": (email, limits.per_email),
    }
    return {
        name: (hasher.key(Purpose.LIMIT, f"{name} {subject}"), limit)
        for name, (subject, limit) in wanted.items()
        if subject and limit
    }


def code_limits(config: AuthConfig, hasher: Hasher, ip: str | None) -> Limits:
    """Return the limit on trying codes; its key is completed by the statement, which knows the address."""
    limit = (config.rate_limits or _OFF).code_attempts
    return {"code": (hasher.key(Purpose.LIMIT, f"code {ip_bucket(ip)}"), limit)} if limit and ip else {}


def parameters(limits: Limits) -> dict[str, object]:
    """Return the parameters of `pgauthkit.statements.rate_limits.bucket` for each limit."""
    found: dict[str, object] = {}
    for name, (key, limit) in limits.items():
        found |= {
            f"{name}_key": key,
            f"{name}_interval": limit.interval,
            f"{name}_tolerance": limit.interval * limit.burst,
        }
    return found
