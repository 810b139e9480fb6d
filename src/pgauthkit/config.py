"""`AuthConfig`: every knob of the service, frozen, and checked once for all fields together."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from typing import Final, TypeVar, cast

import attrs
from argon2 import Parameters, Type

from pgauthkit.errors import ConfigError
from pgauthkit.identifiers import is_storable
from pgauthkit.redirects import is_absolute_address
from pgauthkit.secret import Secret
from pgauthkit.session_cache import TOO_STALE, SessionCache, is_too_stale
from pgauthkit.values import AuthEvent

__all__ = ["AuthConfig", "Pepper", "RateLimit", "RateLimits", "SessionCache"]

SHORTEST_PEPPER: Final = 32  # bytes: RFC 2104 section 3 wants a key no shorter than the hash
T = TypeVar("T")
INSTANT: Final = timedelta(microseconds=1)
LONGEST: Final = timedelta(days=3660)
# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane.
OWASP_ARGON2: Final = Parameters(
    type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=2, memory_cost=19456, parallelism=1
)


def _as_tuple(items: Sequence[T]) -> tuple[T, ...]:
    return tuple(items) if isinstance(items, list) else cast("tuple[T, ...]", items)


def _refuse_wrong(instance: attrs.AttrsInstance, problems: Mapping[str, str | None]) -> None:
    name, fields = type(instance).__name__, attrs.fields_dict(type(instance))
    if wrong := [f"{name}.{field} {problems[field]}." for field in fields if problems[field]]:
        raise ConfigError(wrong)


def _unless(fits: bool, say: str) -> str | None:  # noqa: FBT001 - a verdict and its sentence
    return None if fits else say


def _number(value: object, least: int, most: int) -> str | None:
    return _unless(type(value) is int and least <= value <= most, f"must be a whole number from {least} to {most}")


def _duration(value: object, least: timedelta, most: timedelta) -> str | None:
    return _unless(isinstance(value, timedelta) and least <= value <= most, f"must be a timedelta, {least} to {most}")


def _is_long_secret(value: object) -> bool:
    return isinstance(value, Secret) and _is_long_text(value.reveal())


def _is_long_text(value: object) -> bool:
    return isinstance(value, str) and is_storable(value) and len(value.encode()) >= SHORTEST_PEPPER


def _optional(value: object, kind: type) -> str | None:
    return _unless(value is None or isinstance(value, kind), f"must be a {kind.__name__} or None")


def _all(items: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(items, tuple) and all(map(fits, cast("tuple[object, ...]", items)))


@attrs.frozen
class Pepper:
    """A key that only the hosts know: what the database holds is worth nothing without it.

    Attributes:
        id: 1 to 255, written into each token; never used again for another secret.
        secret: text of 32 bytes or more in UTF-8, such as `secrets.token_urlsafe(32)`.

    Raises:
        ConfigError: a field is out of range.

    Example:
        >>> Pepper(id=1, secret=Secret("0123456789abcdef0123456789abcdef"))
        Pepper(id=1, secret=Secret('********'))
    """

    id: int
    secret: Secret

    def __attrs_post_init__(self) -> None:
        _refuse_wrong(
            self,
            {
                "id": _number(self.id, 1, 255),
                "secret": _unless(
                    _is_long_secret(self.secret), f"must be a Secret of {SHORTEST_PEPPER} bytes or more in UTF-8"
                ),
            },
        )


@attrs.frozen
class RateLimit:
    """So many in a time, spread evenly; a burst of as many may come at once (GCRA, ITU-T I.371).

    Attributes:
        count: how many are let through in `per`, on average.
        per: the time.
        burst: how many may come at once after a rest; `count` when not given.

    Raises:
        ConfigError: a field is out of range.

    Example:
        >>> RateLimit(5, per=timedelta(hours=1)).interval
        datetime.timedelta(seconds=720)
    """

    count: int
    per: timedelta
    burst: int = attrs.field(default=attrs.Factory(lambda self: self.count, takes_self=True))

    def __attrs_post_init__(self) -> None:
        _refuse_wrong(
            self,
            {
                "count": _number(self.count, 1, 1_000_000),
                "per": _duration(self.per, timedelta(seconds=1), timedelta(days=366)),
                "burst": _number(self.burst, 1, 1_000_000),
            },
        )

    @property
    def interval(self) -> timedelta:
        """The time in which one more is let through."""
        return self.per / self.count


@attrs.frozen(kw_only=True)
class RateLimits:
    """The limits of the service; `None` switches one off.

    Attributes:
        per_ip: links asked for from one ip, whatever the address: an IPv4 address, or a household of IPv6.
        per_network: links asked for from one network, whatever the address: an IPv4 address, or a /48 of IPv6.
        per_email: links asked for one address, from anywhere.
        per_email_and_ip: links asked for one address from one ip, so that one stranger cannot use up `per_email`.
        per_email_and_network: links asked for one address from one network.
        per_device: links asked for on one known device for its user's address, counted apart from everybody else's.
        code_attempts: codes tried for one address from one ip, over all its links, or on one known device of its user.
        wrong_matches: wrong numbers typed for one address by `approve_magic_link`, over all its links.
        per_invitation: invitations of one address.
        per_email_change: changes of address asked for by one user, and those to one new address.
        household_prefix: bits of IPv6 that one household has, 48 to 64; 56 (RIPE-690).

    Without an ip the limits that count ips and networks are skipped; for a blank one as well, which the log says once.

    Raises:
        ConfigError: a field is neither a `RateLimit` nor `None`, or `household_prefix` is out of range.

    Example:
        >>> RateLimits(per_ip=None).per_email
        RateLimit(count=15, per=datetime.timedelta(seconds=3600), burst=50)
    """

    per_ip: RateLimit | None = RateLimit(20, per=timedelta(minutes=1))
    per_network: RateLimit | None = RateLimit(60, per=timedelta(minutes=1))
    per_email: RateLimit | None = RateLimit(15, per=timedelta(hours=1), burst=50)
    per_email_and_ip: RateLimit | None = RateLimit(24, per=timedelta(days=1), burst=5)
    per_email_and_network: RateLimit | None = RateLimit(36, per=timedelta(days=1), burst=8)
    per_device: RateLimit | None = RateLimit(48, per=timedelta(days=1), burst=5)
    code_attempts: RateLimit | None = RateLimit(10, per=timedelta(hours=1))
    wrong_matches: RateLimit | None = RateLimit(6, per=timedelta(days=1))
    per_invitation: RateLimit | None = RateLimit(10, per=timedelta(days=1), burst=3)
    per_email_change: RateLimit | None = RateLimit(10, per=timedelta(days=1), burst=3)
    household_prefix: int = 56

    def __attrs_post_init__(self) -> None:
        limits = {name: _optional(limit, RateLimit) for name, limit in attrs.asdict(self, recurse=False).items()}
        _refuse_wrong(self, {**limits, "household_prefix": _number(self.household_prefix, 48, 64)})


# One converter for each type, because mypy does not solve a generic one.
def _peppers(items: Sequence[Pepper]) -> tuple[Pepper, ...]:
    return _as_tuple(items)


def _addresses(items: Sequence[str]) -> tuple[str, ...]:
    return _as_tuple(items)


def _observers(items: Sequence[Callable[[AuthEvent], object]]) -> tuple[Callable[[AuthEvent], object], ...]:
    return _as_tuple(items)


@attrs.frozen(kw_only=True)
class AuthConfig:
    """How the service behaves. Every field has a safe default; durations are `timedelta`.

    Attributes:
        magic_link_ttl: how long a link is good; 10 minutes (OWASP ASVS 5.0 6.5.5), at most 24 hours.
        codes: whether each link comes with a short code to type.
        code_attempts: how many codes are checked for one link.
        code_length: characters of a code, 6 to 16; each is worth 4.3 bits (ASVS 6.5.4 asks 20 in all).
        require_binding: whether a link works only in the browser that asked for it (ASVS 6.6.2).
        access_ttl: how long an access token is good.
        session_idle_ttl: how long a session lives without being used (ASVS 7.3.1).
        session_ttl: how long a session lives at most (ASVS 7.3.2).
        refresh_grace: how long the previous access token is good after a refresh, and the previous refresh token after
            the first use of the new pair, 0 to 300 seconds.
        touch_interval: how old `last_used_at` may get before `authenticate` moves it.
        device_ttl: how long a browser is a known device after the last sign-in on it.
        allow_sign_up: whether a link makes an account for an address that has none.
        peppers: keys for what is stored; the first makes new tokens, all verify.
        accept_unpeppered: whether tokens made without a pepper are good although there are peppers.
        rate_limits: see `RateLimits`; None for no limits at all.
        allowed_redirects: absolute addresses beside the host's own paths, such as `https://app.example.com`.
        argon2: cost of hashing a code.
        clock: replaces the database's time; for tests.
        observers: called with each `AuthEvent` after the statement committed; not async, as they are not awaited.
        long_hashes: whether sessions are written so that the release before 0004 reads them, while hosts of both run.
        session_cache: whether `authenticate` may answer from memory; see `SessionCache`.

    Raises:
        ConfigError: some fields are wrong; `problems` lists them all.

    Example:
        >>> AuthConfig(access_ttl=timedelta(minutes=5)).session_ttl
        datetime.timedelta(days=30)
    """

    magic_link_ttl: timedelta = timedelta(minutes=10)
    codes: bool = False
    code_attempts: int = 5
    code_length: int = 8
    require_binding: bool = False
    access_ttl: timedelta = timedelta(minutes=15)
    session_idle_ttl: timedelta = timedelta(days=14)
    session_ttl: timedelta = timedelta(days=30)
    refresh_grace: timedelta = timedelta(seconds=30)
    touch_interval: timedelta = timedelta(seconds=60)
    device_ttl: timedelta = timedelta(days=365)
    allow_sign_up: bool = True
    peppers: tuple[Pepper, ...] = attrs.field(default=(), converter=_peppers)
    accept_unpeppered: bool = False
    rate_limits: RateLimits | None = RateLimits()
    allowed_redirects: tuple[str, ...] = attrs.field(default=(), converter=_addresses)
    argon2: Parameters = OWASP_ARGON2
    clock: Callable[[], datetime] | None = None
    observers: tuple[Callable[[AuthEvent], object], ...] = attrs.field(default=(), converter=_observers)
    long_hashes: bool = False
    session_cache: SessionCache | None = None

    def __attrs_post_init__(self) -> None:
        _refuse_wrong(self, {**_wrong_times(self), **_wrong_numbers(self), **_wrong_objects(self)})


def _wrong_times(config: AuthConfig) -> Mapping[str, str | None]:
    return {
        "magic_link_ttl": _duration(config.magic_link_ttl, INSTANT, timedelta(hours=24)),
        "access_ttl": _duration(config.access_ttl, INSTANT, LONGEST),
        "session_idle_ttl": _duration(config.session_idle_ttl, INSTANT, LONGEST),
        "session_ttl": _duration(config.session_ttl, INSTANT, LONGEST),
        "refresh_grace": _duration(config.refresh_grace, timedelta(), timedelta(seconds=300)),
        "touch_interval": _duration(config.touch_interval, timedelta(), LONGEST),
        "device_ttl": _duration(config.device_ttl, INSTANT, LONGEST),
    }


def _wrong_numbers(config: AuthConfig) -> Mapping[str, str | None]:
    switches = ("codes", "require_binding", "allow_sign_up", "accept_unpeppered", "long_hashes")
    return {
        **{name: _unless(isinstance(getattr(config, name), bool), "must be True or False") for name in switches},
        "code_attempts": _number(config.code_attempts, 1, 100),
        "code_length": _number(config.code_length, 6, 16),
    }


def _wrong_objects(config: AuthConfig) -> Mapping[str, str | None]:
    return {
        "peppers": _unless(
            _all(config.peppers, lambda item: isinstance(item, Pepper))
            and len({pepper.id for pepper in config.peppers}) == len(config.peppers),
            "must be a tuple of Pepper with different ids",
        ),
        "rate_limits": _optional(config.rate_limits, RateLimits),
        "allowed_redirects": _unless(
            _all(config.allowed_redirects, lambda item: isinstance(item, str) and is_absolute_address(item)),
            "must be absolute addresses such as https://app.example.com",
        ),
        "argon2": _unless(
            _all((config.argon2,), lambda item: isinstance(item, Parameters)), "must be argon2.Parameters"
        ),
        "clock": _unless(config.clock is None or callable(config.clock), "must be callable or None"),
        # A coroutine that nobody awaits would observe nothing, and say so nowhere.
        "observers": _unless(
            _all(config.observers, lambda item: callable(item) and not iscoroutinefunction(item)),
            "must be callables that are not async",
        ),
        "session_cache": _optional(config.session_cache, SessionCache)
        or _unless(not is_too_stale(config.session_cache, config.touch_interval), TOO_STALE),
    }
