"""The configuration: safe defaults, bounds, and all wrong fields in one error."""

import asyncio
import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import argon2
import attrs
import pytest
from hypothesis import given, strategies as st

from pgauthkit import Secret
from pgauthkit.config import AuthConfig, Pepper, RateLimit, RateLimits, SessionCache
from pgauthkit.errors import ConfigError
from pgauthkit.values import AuthEvent

TEXT: Final = "0123456789abcdef0123456789abcdef"
PEPPER: Final = Pepper(id=1, secret=Secret(TEXT))
INSTANT: Final = timedelta(microseconds=1)
TEN_YEARS: Final = timedelta(days=3660)
NOTHING: Final = timedelta()
# Each field of AuthConfig with a value of the wrong type or out of range.
WRONG: Final[dict[str, Any]] = {
    "magic_link_ttl": 600,
    "codes": 1,
    "code_attempts": 0,
    "code_length": "8",
    "require_binding": None,
    "access_ttl": timedelta(0),
    "session_idle_ttl": "14 days",
    "session_ttl": timedelta(days=-1),
    "refresh_grace": timedelta(seconds=301),
    "touch_interval": 60.0,
    "device_ttl": 365,
    "allow_sign_up": "yes",
    "peppers": "pepper",
    "accept_unpeppered": 0,
    "rate_limits": RateLimit(1, per=timedelta(hours=1)),
    "allowed_redirects": ("/inbox",),
    "argon2": {"time_cost": 1},
    "clock": datetime(2026, 1, 1, tzinfo=UTC),
    "observers": ("print",),
    "long_hashes": "yes",
    "session_cache": True,
}


def observer(event: AuthEvent) -> None:
    raise NotImplementedError(event)


def configured(field: str, value: object) -> AuthConfig:
    return AuthConfig(**cast("dict[str, Any]", {field: value}))


def problems(make: Callable[[], object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make()
    return [problem.partition(" ")[0] for problem in caught.value.problems]


def test_defaults() -> None:
    """The defaults are those of the contract."""
    expected = {
        "magic_link_ttl": timedelta(minutes=10),
        "codes": False,
        "code_attempts": 5,
        "code_length": 8,
        "require_binding": False,
        "access_ttl": timedelta(minutes=15),
        "session_idle_ttl": timedelta(days=14),
        "session_ttl": timedelta(days=30),
        "refresh_grace": timedelta(seconds=30),
        "touch_interval": timedelta(seconds=60),
        "device_ttl": timedelta(days=365),
        "allow_sign_up": True,
        "peppers": (),
        "accept_unpeppered": False,
        "rate_limits": RateLimits(
            per_ip=RateLimit(20, per=timedelta(minutes=1)),
            per_network=RateLimit(60, per=timedelta(minutes=1)),
            per_email=RateLimit(15, per=timedelta(hours=1), burst=50),
            per_email_and_ip=RateLimit(24, per=timedelta(days=1), burst=5),
            per_email_and_network=RateLimit(36, per=timedelta(days=1), burst=8),
            per_device=RateLimit(48, per=timedelta(days=1), burst=5),
            code_attempts=RateLimit(10, per=timedelta(hours=1)),
            household_prefix=56,
        ),
        "allowed_redirects": (),
        "argon2": argon2.Parameters(
            type=argon2.Type.ID, version=19, salt_len=16, hash_len=32, time_cost=2, memory_cost=19456, parallelism=1
        ),
        "clock": None,
        "observers": (),
        "long_hashes": False,
        "session_cache": None,
    }
    assert expected == attrs.asdict(AuthConfig(), recurse=False)


def test_all_wrong_fields_are_told_together() -> None:
    """One error names every wrong field, in the order of the fields."""
    fields = [field.name for field in attrs.fields(AuthConfig)]
    assert fields == list(WRONG)
    assert [f"AuthConfig.{field}" for field in fields] == problems(lambda: AuthConfig(**WRONG))


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_field_is_told_alone(field: str) -> None:
    """One wrong field is one problem, in one sentence that names it."""
    with pytest.raises(ConfigError, match=rf"^The configuration is wrong:\n  - AuthConfig\.{field} must be .+\.$"):
        configured(field, WRONG[field])


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("magic_link_ttl", INSTANT, timedelta(hours=24)),
        ("access_ttl", INSTANT, TEN_YEARS),
        ("session_idle_ttl", INSTANT, TEN_YEARS),
        ("session_ttl", INSTANT, TEN_YEARS),
        ("refresh_grace", NOTHING, timedelta(seconds=300)),
        ("touch_interval", NOTHING, TEN_YEARS),
        ("device_ttl", INSTANT, TEN_YEARS),
    ],
)
def test_bounds_of_durations(field: str, least: timedelta, most: timedelta) -> None:
    """Both bounds are good, and one microsecond beyond them is not."""
    for duration in (least, most):
        assert duration == getattr(configured(field, duration), field)
    for duration in (least - INSTANT, most + INSTANT, timedelta.min, timedelta.max):
        assert [f"AuthConfig.{field}"] == problems(lambda: configured(field, duration))  # noqa: B023 - called at once


@pytest.mark.parametrize(("field", "least", "most"), [("code_attempts", 1, 100), ("code_length", 6, 16)])
def test_bounds_of_numbers(field: str, least: int, most: int) -> None:
    """Both bounds are good, and one beyond them is not."""
    for number in (least, most):
        assert number == getattr(configured(field, number), field)
    for number in (least - 1, most + 1, -least, 10**30):
        assert [f"AuthConfig.{field}"] == problems(lambda: configured(field, number))  # noqa: B023 - called at once


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code_attempts", True),
        ("code_attempts", 5.0),
        ("code_attempts", None),
        ("code_length", "8"),
        ("access_ttl", 900),
        ("access_ttl", None),
        ("access_ttl", "15 min"),
        ("codes", 0),
        ("codes", "no"),
        ("codes", None),
        ("peppers", None),
        ("peppers", PEPPER),
        ("peppers", {PEPPER}),
        ("peppers", [TEXT]),
        ("peppers", [Secret(TEXT)]),
        ("peppers", [PEPPER, PEPPER]),
        ("peppers", [PEPPER, Pepper(1, Secret(TEXT[::-1]))]),
        ("rate_limits", False),
        ("rate_limits", {}),
        ("allowed_redirects", None),
        ("allowed_redirects", "https://app.example.com"),
        ("allowed_redirects", [None]),
        ("allowed_redirects", ["https://app.example.com", "app.example.com"]),
        ("allowed_redirects", ["https://app.example.com?a=1"]),
        ("argon2", None),
        ("argon2", argon2.PasswordHasher()),
        ("clock", "now"),
        ("observers", None),
        ("observers", observer),
        pytest.param("observers", [observer, None], id="observers-None among them"),
        pytest.param("observers", [observer, asyncio.sleep], id="observers-an async one among them"),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value))[:40],
)
def test_wrong_values(field: str, value: object) -> None:
    """A value of another type, also a bool for a number, is told as this field's problem."""
    assert [f"AuthConfig.{field}"] == problems(lambda: configured(field, value))


def test_good_values() -> None:
    """Every field takes the values that its documentation names."""
    config = AuthConfig(
        peppers=(PEPPER, Pepper(2, Secret(TEXT[::-1]))),
        rate_limits=None,
        allowed_redirects=("https://app.example.com", "com.example.app://signed-in"),
        argon2=argon2.profiles.CHEAPEST,
        clock=lambda: datetime.now(UTC),
        observers=(observer, observer),
    )
    assert config.clock is not None
    assert config.clock() <= datetime.now(UTC)
    with pytest.raises(NotImplementedError):
        config.observers[0](AuthEvent(kind="signed_in", at=config.clock()))


def test_lists_become_tuples() -> None:
    """Where several may be given a list is as good as a tuple, and changing it later changes nothing."""
    peppers, redirects, observers = [PEPPER], ["https://app.example.com"], [observer]
    config = AuthConfig(peppers=peppers, allowed_redirects=redirects, observers=observers)
    for given_list in (peppers, redirects, observers):
        given_list.clear()
    assert config.peppers == (PEPPER,)
    assert config.allowed_redirects == ("https://app.example.com",)
    assert (observer,) == config.observers


@pytest.mark.parametrize(
    "value", [AuthConfig(), PEPPER, RateLimits(), RateLimit(5, per=timedelta(hours=1))], ids=lambda v: type(v).__name__
)
def test_frozen(value: attrs.AttrsInstance) -> None:
    """No field can be changed, and none added."""
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, getattr(value, field.name))
    with pytest.raises(AttributeError):
        setattr(value, "another", 1)  # noqa: B010 - the type checkers would refuse the plain form


@pytest.mark.parametrize("cls", [AuthConfig, RateLimits])
def test_keywords_only(cls: Callable[..., object]) -> None:
    """Fields are given by name, since their order says nothing."""
    with pytest.raises(TypeError):
        cls(timedelta(minutes=1))


@given(
    magic_link_ttl=st.timedeltas(),
    refresh_grace=st.timedeltas(NOTHING - INSTANT, timedelta(seconds=301)),
    code_attempts=st.integers(-1, 102),
)
def test_a_configuration_is_good_or_names_what_is_wrong(
    magic_link_ttl: timedelta, refresh_grace: timedelta, code_attempts: int
) -> None:
    """Whatever is combined, exactly the fields out of their bounds are told."""
    wrong = [
        f"AuthConfig.{field}"
        for field, fits in {
            "magic_link_ttl": NOTHING < magic_link_ttl <= timedelta(days=1),
            "code_attempts": 1 <= code_attempts <= 100,
            "refresh_grace": NOTHING <= refresh_grace <= timedelta(minutes=5),
        }.items()
        if not fits
    ]
    told: list[str] = []
    try:
        AuthConfig(magic_link_ttl=magic_link_ttl, refresh_grace=refresh_grace, code_attempts=code_attempts)
    except ConfigError as error:
        told = [problem.partition(" ")[0] for problem in error.problems]
    assert wrong == told


class TestPepper:
    @pytest.mark.parametrize("number", [1, 255])
    def test_ids(self, number: int) -> None:
        """An id fits into a byte, and 0 stands for none."""
        assert number == Pepper(number, Secret(TEXT)).id

    @pytest.mark.parametrize("number", [0, 256, -1, True, "1", 1.0, None])
    def test_wrong_ids(self, number: object) -> None:
        """Other ids are refused."""
        assert problems(lambda: Pepper(cast("int", number), Secret(TEXT))) == ["Pepper.id"]

    @pytest.mark.parametrize("text", ["x" * 32, "ä" * 16, "\N{PILE OF POO}" * 8, "x" * 1000], ids=len)
    def test_long_secrets(self, text: str) -> None:
        """Thirty-two bytes of UTF-8 are enough."""
        assert text == Pepper(1, Secret(text)).secret.reveal()

    @pytest.mark.parametrize(
        "secret",
        [
            Secret(""),
            Secret("x" * 31),
            Secret("ä" * 15 + "x"),
            Secret("\udc80" * 40),
            Secret("\0" * 40),
            Secret(cast("str", None)),
            Secret(cast("str", TEXT.encode())),
            TEXT,
            TEXT.encode(),
            None,
        ],
        ids=["empty", "31", "31 bytes", "surrogates", "NUL", "no text", "bytes", "bare text", "bare bytes", "None"],
    )
    def test_wrong_secrets(self, secret: object) -> None:
        """A shorter secret, one that UTF-8 cannot write, and what is no `Secret` of text are refused."""
        assert problems(lambda: Pepper(1, cast("Secret", secret))) == ["Pepper.secret"]

    def test_both_wrong(self) -> None:
        """Both problems are told together, and the error does not show the secret."""
        with pytest.raises(ConfigError) as caught:
            Pepper(0, Secret("too-short"))
        expected = (
            "Pepper.id must be a whole number from 1 to 255.",
            ("Pepper.secret must be a Secret of 32 bytes or more in UTF-8."),
        )
        assert expected == caught.value.problems
        assert "too-short" not in f"{caught.value} {caught.value!r} {caught.value.__context__}"

    def test_print_is_masked(self) -> None:
        """Neither a pepper nor a configuration shows the secret."""
        config = AuthConfig(peppers=(PEPPER,))
        shown = f"{PEPPER} {PEPPER!r} {config} {attrs.asdict(PEPPER)} {attrs.asdict(config)} {copy.deepcopy(PEPPER)}"
        assert repr(PEPPER) == "Pepper(id=1, secret=Secret('********'))"
        assert TEXT not in shown
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(config)


class TestRateLimit:
    @pytest.mark.parametrize(
        ("limit", "interval", "burst"),
        [
            (RateLimit(5, per=timedelta(hours=1)), timedelta(minutes=12), 5),
            (RateLimit(1, per=timedelta(seconds=1)), timedelta(seconds=1), 1),
            (RateLimit(20, timedelta(minutes=1), 1), timedelta(seconds=3), 1),
            (RateLimit(1_000_000, per=timedelta(seconds=1)), INSTANT, 1_000_000),
            (RateLimit(3, per=timedelta(seconds=1), burst=9), timedelta(microseconds=333_333), 9),
        ],
    )
    def test_interval_and_burst(self, limit: RateLimit, interval: timedelta, burst: int) -> None:
        """One more is let through in each `per / count`; the burst is the count unless given."""
        assert (interval, burst) == (limit.interval, limit.burst)

    @pytest.mark.parametrize(
        ("count", "per", "burst", "wrong"),
        [
            (1, timedelta(seconds=1), 1, []),
            (1_000_000, timedelta(days=366), 1_000_000, []),
            (0, timedelta(seconds=1), 1, ["RateLimit.count"]),
            (1_000_001, timedelta(seconds=1), 1, ["RateLimit.count"]),
            (1, timedelta(seconds=1) - INSTANT, 1, ["RateLimit.per"]),
            (1, timedelta(days=366) + INSTANT, 1, ["RateLimit.per"]),
            (1, timedelta(seconds=1), 0, ["RateLimit.burst"]),
            (1, timedelta(seconds=1), 1_000_001, ["RateLimit.burst"]),
            (True, 60, None, ["RateLimit.count", "RateLimit.per", "RateLimit.burst"]),
        ],
    )
    def test_bounds(self, count: int, per: timedelta, burst: int, wrong: list[str]) -> None:
        """Counts go from 1 to a million, and times from a second to a year."""
        told: list[str] = []
        try:
            RateLimit(count, per=per, burst=burst)
        except ConfigError as error:
            told = [problem.partition(" ")[0] for problem in error.problems]
        assert wrong == told


class TestRateLimits:
    @pytest.mark.parametrize(
        "name",
        [
            *("per_ip", "per_network", "per_email", "per_email_and_ip", "per_email_and_network"),
            *("per_device", "code_attempts"),
        ],
    )
    def test_none_switches_one_off(self, name: str) -> None:
        """Each limit may be None, and the others stay."""
        off: dict[str, Any] = {name: None}
        limits = RateLimits(**off)
        switched_off = [field for field, limit in attrs.asdict(limits, recurse=False).items() if limit is None]
        assert [name] == switched_off

    def test_all_wrong(self) -> None:
        """All wrong limits are told together."""
        wrong: dict[str, Any] = {"per_ip": 20, "per_email": "10/h", "per_email_and_ip": False, "code_attempts": ()}
        wrong["household_prefix"] = 47
        assert [f"RateLimits.{name}" for name in wrong] == problems(lambda: RateLimits(**wrong))


def test_defaults_of_a_cache() -> None:
    """A second, and a hundred thousand sessions."""
    assert SessionCache() == SessionCache(timedelta(seconds=1), 100_000)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"max_staleness": 1.0}, ["SessionCache.max_staleness"]),
        ({"max_staleness": timedelta(milliseconds=1) - INSTANT}, ["SessionCache.max_staleness"]),
        ({"max_staleness": None, "size": 0}, ["SessionCache.max_staleness", "SessionCache.size"]),
        ({"size": True}, ["SessionCache.size"]),
        ({"size": 10_000_001}, ["SessionCache.size"]),
    ],
)
def test_a_wrong_cache(given: dict[str, Any], wrong: list[str]) -> None:
    """Each wrong field of a cache is reported."""
    assert wrong == problems(lambda: SessionCache(**given))


def test_a_cache_is_younger_than_a_touch() -> None:
    """What is kept may be as old as `touch_interval`, and no older: `last_used_at` would come late."""
    kept = SessionCache(timedelta(seconds=5))
    assert AuthConfig(session_cache=kept, touch_interval=timedelta(seconds=5)).session_cache is kept
    assert problems(lambda: AuthConfig(session_cache=kept, touch_interval=timedelta(seconds=5) - INSTANT)) == [
        "AuthConfig.session_cache"
    ]
