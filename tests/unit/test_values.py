"""The values that the service returns: frozen, with safe defaults, and without a secret in print."""

import copy
import json
import pickle
import pprint
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, strategies as st

from pgauthkit import Secret
from pgauthkit.values import (
    AuthEvent,
    DeviceInfo,
    Identity,
    IssuedMagicLink,
    MagicLinkPreview,
    PurgeReport,
    SessionInfo,
    SignIn,
    TokenPair,
    UserInfo,
    UserRole,
)

NOW: Final = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
LATER: Final = NOW + timedelta(minutes=10)
INSTANT: Final = timedelta(microseconds=1)
TOKEN: Final = "pgak_ml_0123"
LINK: Final = IssuedMagicLink(
    id="c1",
    email="ada@example.com",
    token=Secret(TOKEN),
    code=Secret("SECRETCODE"),
    binding=Secret("pgak_bd_SECRET"),
    expires_at=LATER,
    should_send=True,
)
TOKENS: Final = TokenPair(
    session_id="c3",
    access_token=Secret("pgak_at_SECRET"),
    refresh_token=Secret("pgak_rt_SECRET"),
    access_expires_at=LATER,
    refresh_expires_at=LATER,
)
IDENTITY: Final = Identity(
    user_id="c2",
    email="ada@example.com",
    role=UserRole.USER,
    session_id="c3",
    authenticated_at=NOW,
    expires_at=LATER,
    asked_at=NOW,
)
SIGN_IN: Final = SignIn(user=IDENTITY, tokens=TOKENS, device=Secret("pgak_dv_SECRET"))
VALUES: Final[list[attrs.AttrsInstance]] = [
    LINK,
    TOKENS,
    IDENTITY,
    SIGN_IN,
    MagicLinkPreview(email="ada@example.com", redirect_to="/inbox", expires_at=LATER),
    SessionInfo(id="c3", created_at=NOW, last_used_at=NOW, expires_at=LATER, ip="203.0.113.7", user_agent=None),
    DeviceInfo(id="c4", created_at=NOW, last_used_at=NOW, expires_at=LATER, ip="203.0.113.7", user_agent=None),
    UserInfo(id="c2", email="ada@example.com", role=UserRole.USER, is_active=True, last_login_at=None, created_at=NOW),
    PurgeReport(magic_links=1, sessions=2, rate_limits=3),
    AuthEvent(kind="signed_in", at=NOW),
]
WITH_SECRETS: Final[list[attrs.AttrsInstance]] = [LINK, TOKENS, SIGN_IN]
each_value = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
WAYS: Final[dict[str, Callable[[attrs.AttrsInstance], object]]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "list": lambda value: [value],
    "asdict": attrs.asdict,
    "astuple": attrs.astuple,
    "asdict without recursion": lambda value: attrs.asdict(value, recurse=False),
    "json": lambda value: json.dumps(attrs.asdict(value), default=str),
    "json with repr": lambda value: json.dumps(value, default=repr),
    "pprint": pprint.pformat,
    "error": lambda value: repr(ValueError(value)),
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
}


def identity(age: timedelta) -> Identity:
    return attrs.evolve(IDENTITY, asked_at=NOW + age)


@pytest.mark.parametrize("show", WAYS.values(), ids=WAYS.keys())
@each_value
def test_print_shows_no_secret(value: attrs.AttrsInstance, show: Callable[[attrs.AttrsInstance], object]) -> None:
    """No way of printing or copying a value shows a token, a code or a binding."""
    shown = str(show(value))
    assert [text for text in ("pgak_", "SECRET") if text in shown] == []


@pytest.mark.parametrize("value", WITH_SECRETS, ids=lambda value: type(value).__name__)
def test_values_with_secrets_are_not_pickled(value: attrs.AttrsInstance) -> None:
    """A value with secrets does not end up in a cache or a queue by accident: pickle and JSON raise `TypeError`."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(value)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(attrs.asdict(value))


@pytest.mark.parametrize(
    "value", [value for value in VALUES if value not in WITH_SECRETS], ids=lambda value: type(value).__name__
)
def test_values_without_secrets_are_pickled(value: attrs.AttrsInstance) -> None:
    """A value without secrets may travel."""
    assert value == pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


@each_value
def test_frozen(value: attrs.AttrsInstance) -> None:
    """No field can be changed, and none added."""
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, getattr(value, field.name))
    with pytest.raises(AttributeError):
        setattr(value, "another", 1)  # noqa: B010 - the type checkers would refuse the plain form


@each_value
def test_keywords_only(value: attrs.AttrsInstance) -> None:
    """Values are made by field names, since their order says nothing; copies are equal."""
    fields = attrs.asdict(value, recurse=False)
    assert value == type(value)(**fields)
    with pytest.raises(TypeError):
        type(value)(*fields.values())


def test_defaults() -> None:
    """Fields that may be missing are None, False or empty."""
    link = IssuedMagicLink(id="c1", email="a@b.example", token=Secret("t"), expires_at=NOW, should_send=False)
    event = AuthEvent(kind="purged", at=NOW)
    assert (link.code, link.binding, link.redirect_to) == (None, None, None)
    assert (SIGN_IN.redirect_to, SIGN_IN.created) == (None, False)
    assert (event.user_id, event.session_id, event.email_hash, event.ip) == (None, None, None, None)
    assert event.detail == {}


def test_events_do_not_share_their_detail() -> None:
    """Each event has a mapping of its own."""
    assert AuthEvent(kind="a", at=NOW).detail is not AuthEvent(kind="a", at=NOW).detail


def test_roles() -> None:
    """A role is its text, as in the database."""
    assert [(role.name, str(role)) for role in UserRole] == [("USER", "USER"), ("ADMIN", "ADMIN")]


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://app.example.com", "https://app.example.com?token=pgak_ml_0123"),
        ("https://app.example.com/sign-in", "https://app.example.com/sign-in?token=pgak_ml_0123"),
        ("https://app.example.com/sign-in?", "https://app.example.com/sign-in?token=pgak_ml_0123"),
        ("https://app.example.com/?lang=en", "https://app.example.com/?lang=en&token=pgak_ml_0123"),
        ("https://app.example.com/?a=1&a=2&b=", "https://app.example.com/?a=1&a=2&b=&token=pgak_ml_0123"),
        ("https://app.example.com/?flag&q=%ff+%20ä", "https://app.example.com/?flag&q=%ff+%20ä&token=pgak_ml_0123"),
        ("https://app.example.com/#top", "https://app.example.com/?token=pgak_ml_0123#top"),
        ("https://app.example.com/#/confirm", "https://app.example.com/#/confirm?token=pgak_ml_0123"),
        ("https://app.example.com/?a=1#/x?b=2", "https://app.example.com/?a=1#/x?b=2&token=pgak_ml_0123"),
        ("https://app.example.com/#!/x", "https://app.example.com/#!/x?token=pgak_ml_0123"),
        ("myapp://", "myapp://?token=pgak_ml_0123"),
        ("myapp:///confirm", "myapp:///confirm?token=pgak_ml_0123"),
        ("com.example.app:/confirm", "com.example.app:/confirm?token=pgak_ml_0123"),
        ("https://app.example.com/?a=1&", "https://app.example.com/?a=1&token=pgak_ml_0123"),
        ("/sign-in", "/sign-in?token=pgak_ml_0123"),
        ("com.example.app://sign-in", "com.example.app://sign-in?token=pgak_ml_0123"),
    ],
)
def test_url(base: str, url: str) -> None:
    """The token is one more query parameter, before a fragment and in one that is a route; all else stays as it was."""
    assert url == LINK.url(base)


def test_url_with_another_parameter() -> None:
    """The parameter's name may be chosen, and is quoted."""
    assert LINK.url("https://a.example/", param="k") == "https://a.example/?k=pgak_ml_0123"
    assert LINK.url("https://a.example/", "a b&c") == "https://a.example/?a+b%26c=pgak_ml_0123"


@given(st.text(st.characters(categories=["L", "N"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_url_is_read_as_written(param: str, token: str) -> None:
    """Whatever the parameter and the token are, a server that parses the address finds them."""
    url = attrs.evolve(LINK, token=Secret(token)).url("https://a.example/?x=1#top", param)
    expected = {"x": ["1"]} | ({"x": ["1", token]} if param == "x" else {param: [token]})
    assert expected == parse_qs(urlsplit(url).query, keep_blank_values=True)


@pytest.mark.parametrize(
    ("age", "within", "fresh"),
    [
        (timedelta(), timedelta(), True),
        (timedelta(minutes=20), timedelta(minutes=20), True),
        (timedelta(minutes=20) - INSTANT, timedelta(minutes=20), True),
        (timedelta(minutes=20) + INSTANT, timedelta(minutes=20), False),
        (INSTANT, timedelta(), False),
        (timedelta(), -INSTANT, False),
        (-INSTANT, timedelta(), True),
        (-timedelta(hours=1), -timedelta(minutes=1), False),
        (timedelta(days=3000), timedelta.max, True),
    ],
)
def test_freshness(age: timedelta, within: timedelta, fresh: bool) -> None:  # noqa: FBT001 - a column of the table
    """A sign-in is fresh for exactly `within`, the last microsecond included."""
    assert fresh == identity(age).is_fresh(within)


def test_freshness_where_the_clocks_are_put_back() -> None:
    """Times of one zone are an hour apart where its clocks show the same twice."""
    first = datetime(2027, 10, 31, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    later = attrs.evolve(IDENTITY, authenticated_at=first, asked_at=first.replace(fold=1))
    assert later.is_fresh(timedelta(hours=1))
    assert not later.is_fresh(timedelta(hours=1) - INSTANT)


@given(st.timedeltas(timedelta(days=-700_000), timedelta(days=2_900_000)), st.timedeltas(max_value=-INSTANT))
def test_a_negative_duration_always_fails(age: timedelta, within: timedelta) -> None:
    """Nothing is fresher than now, however the clocks differ."""
    assert not identity(age).is_fresh(within)


def test_time_of_asking() -> None:
    """An identity made by hand was asked for now; when it was asked for is neither compared nor printed."""
    fields = attrs.asdict(IDENTITY, recurse=False)
    fields.pop("asked_at")
    before = datetime.now(UTC)
    made = Identity(**fields)
    assert before <= made.asked_at <= datetime.now(UTC)
    assert made == IDENTITY
    assert repr(made) == repr(IDENTITY)
