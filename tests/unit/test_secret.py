"""`Secret`: nothing that prints, logs, copies or serialises shows it."""

import copy
import dataclasses
import hmac
import json
import logging
import operator
import pickle
import pprint
import string
import traceback
from collections.abc import Callable
from typing import Final

import attrs
import pytest
from hypothesis import given, strategies as st

from pgauthkit import Secret

TEXT: Final = "pgak_ml_do-not-show-me"
# Lone surrogates too: what a request carries need not be encodable.
any_text = st.text() | st.text("pgak_\0\n*é\ud800\udfff")


@attrs.frozen
class AttrsHolder:
    secret: Secret


@dataclasses.dataclass(frozen=True)
class DataclassHolder:
    secret: Secret


WAYS: Final[dict[str, Callable[[Secret], object]]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "f-string": lambda secret: f"{secret}",
    "f-string with repr": lambda secret: f"{secret!r}",
    "f-string with width": lambda secret: f"{secret:>40}",
    "f-string with precision": lambda secret: f"{secret:.3}",
    "format method": lambda secret: str.format("{0} {0!r} {0!s:^30}", secret),
    "percent s": lambda secret: operator.mod("%s", secret),
    "percent r": lambda secret: operator.mod("%r", (secret,)),
    "percent with width": lambda secret: operator.mod("%-60s|", secret),
    "template": lambda secret: string.Template("$secret").substitute(secret=secret),
    "list": lambda secret: str([secret, (secret,), {secret: secret}]),
    "pprint": pprint.pformat,
    "error": lambda secret: repr(ValueError(secret)) + str(ValueError(secret)),
    "attrs": lambda secret: repr(AttrsHolder(secret)),
    "attrs.asdict": lambda secret: repr(attrs.asdict(AttrsHolder(secret))),
    "attrs.astuple": lambda secret: repr(attrs.astuple(AttrsHolder(secret))),
    "dataclass": lambda secret: repr(DataclassHolder(secret)),
    "dataclasses.asdict": lambda secret: repr(dataclasses.asdict(DataclassHolder(secret))),
    "vars of its holder": lambda secret: repr(vars(DataclassHolder(secret))),
    "json with default=str": lambda secret: json.dumps([secret], default=str),
    "json with default=repr": lambda secret: json.dumps([secret], default=repr),
    "dir": dir,
}


@pytest.mark.parametrize("show", WAYS.values(), ids=WAYS.keys())
def test_print_does_not_show_it(show: Callable[[Secret], object]) -> None:
    """No way of printing shows the text, or any four characters of it."""
    shown = str(show(Secret(TEXT)))
    assert [TEXT[i : i + 4] for i in range(len(TEXT) - 3) if TEXT[i : i + 4] in shown] == []


@pytest.mark.parametrize(
    ("spec", "shown"), [("", "********"), (">10", "  ********"), ("^12s", "  ********  "), (".3", "***")]
)
def test_format_masks_and_pads(spec: str, shown: str) -> None:
    """A format specification applies to the mask, so that tables stay straight."""
    assert shown == format(Secret(TEXT), spec)


@given(any_text)
def test_the_mask_does_not_tell_the_length(text: str) -> None:
    """All secrets look the same."""
    assert (str(Secret(text)), repr(Secret(text))) == ("********", "Secret('********')")


@given(any_text)
def test_reveal_returns_the_text(text: str) -> None:
    """`reveal` returns what was put in, whatever it was."""
    assert text == Secret(text).reveal()


def test_logs_do_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    """A log line with a secret as argument shows the mask."""
    with caplog.at_level(logging.INFO):
        logging.getLogger("host").info("sent %s and %r", Secret(TEXT), Secret(TEXT))
    assert caplog.messages == ["sent ******** and Secret('********')"]
    assert TEXT not in caplog.text


def test_tracebacks_with_local_variables_do_not_show_it() -> None:
    """An error reporter that prints local variables prints the mask."""
    token = Secret(TEXT)
    with pytest.raises(ValueError, match=r"^\*{8}$") as caught:
        raise ValueError(token)
    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "token = Secret('********')" in report
    assert TEXT not in report


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    """Pickling a secret, alone or in a value, raises `TypeError` without showing it."""
    for value in (Secret(TEXT), AttrsHolder(Secret(TEXT))):
        with pytest.raises(TypeError, match="not pickled") as caught:
            pickle.dumps(value, protocol)
        assert TEXT not in str(caught.value)


def test_it_is_no_json() -> None:
    """Serialising a secret to JSON raises `TypeError` without showing it."""
    with pytest.raises(TypeError, match="not JSON serializable") as caught:
        json.dumps({"token": Secret(TEXT)})
    assert TEXT not in str(caught.value)


def test_it_has_no_dict() -> None:
    """`vars` finds nothing to show, and there is no room for more attributes."""
    with pytest.raises(TypeError):
        vars(Secret(TEXT))
    with pytest.raises(AttributeError):
        setattr(Secret(TEXT), "note", "x")  # noqa: B010 - the type checkers would refuse the plain form


def test_copies_are_itself() -> None:
    """A copy, deep or not, is the same object, so that values with secrets can be copied."""
    secret = Secret(TEXT)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


@given(any_text, any_text)
def test_equality_is_that_of_the_text(one: str, other: str) -> None:
    """Two secrets are equal, with the same hash, exactly when their texts are."""
    assert (one == other) == (Secret(one) == Secret(other))
    assert (one != other) == (Secret(one) != Secret(other))
    assert Secret(one) == Secret(one)
    assert hash(Secret(one)) == hash(Secret(one))


def test_equality_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two secrets are compared by `hmac.compare_digest`, as bytes, since it refuses text outside ASCII."""
    compared: list[tuple[object, object]] = []
    compare_digest = hmac.compare_digest

    def compare(mine: bytes, theirs: bytes) -> bool:
        compared.append((mine, theirs))
        return compare_digest(mine, theirs)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert Secret("né") != Secret("ne\udc80")
    assert compared == [(b"n\xc3\xa9", b"ne\xed\xb2\x80")]


@pytest.mark.parametrize("other", [TEXT, TEXT.encode(), None, 0, "********", object()])
def test_it_equals_nothing_else(other: object) -> None:
    """A secret is never equal to a text, so that a forgotten `reveal()` is a refusal and not an accident."""
    assert Secret(TEXT) != other
    assert other != Secret(TEXT)


def test_it_is_a_key() -> None:
    """Secrets can be kept in sets, where their hash is not that of the text."""
    assert len({Secret(TEXT), Secret(TEXT), Secret("another")}) == 2
    assert hash(TEXT) != hash(Secret(TEXT))
