"""Identifiers: their shape, their order, and that no two are the same."""

import os
import re
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import assume, given, strategies as st

from pgauthkit.identifiers import is_storable, new_id, new_ids

MILLISECOND: Final = 1_000_000
LAST: Final = 36**8 - 1  # the last millisecond that eight digits of base 36 can name
milliseconds = st.integers(0, LAST)


def id_at(nanoseconds: int) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: nanoseconds)
        return new_id()


@given(milliseconds)
def test_shape(millisecond: int) -> None:
    """An identifier is a `c` and 24 characters of `0-9a-z`, at any time: the shape of Prisma's `cuid()`."""
    assert re.fullmatch(r"c[0-9a-z]{24}", id_at(millisecond * MILLISECOND))


@given(milliseconds)
def test_it_tells_its_time(millisecond: int) -> None:
    """The first eight characters are the milliseconds since 1970 in base 36."""
    assert millisecond == int(id_at(millisecond * MILLISECOND + 999_999)[1:9], 36)


@given(milliseconds, milliseconds)
def test_they_sort_by_time(one: int, other: int) -> None:
    """Of two identifiers of different milliseconds the later one sorts behind, as text."""
    assert (one < other) == (id_at(one * MILLISECOND) < id_at(other * MILLISECOND)) or one == other


def test_they_sort_for_decades() -> None:
    """The order holds until 2059, as the docstring says, and the shape for ever."""
    assert datetime.fromtimestamp(LAST / 1000, tz=UTC).year == 2059
    assert id_at((LAST + 1) * MILLISECOND).startswith("c00000000")


@given(st.binary(min_size=25, max_size=25))
def test_the_rest_is_random(noise: bytes) -> None:
    """Each of the last sixteen characters is a byte of the operating system's generator; some bytes are dropped."""
    expected = [byte % 36 for byte in noise if byte < 252] * 25  # it is asked again where too few are left
    assume(expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", lambda size: noise[:size])
        identifier = new_id()
    assert [int(digit, 36) for digit in identifier[9:]] == expected[:16]


def test_every_digit_is_as_likely() -> None:
    """Of all bytes that there are, each digit gets seven, and four get none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", lambda size: (bytes(range(256)) * size)[:size])
        digits = "".join(identifier[9:] for identifier in new_ids(63 * 7))
    assert Counter(digits) == dict.fromkeys("0123456789abcdefghijklmnopqrstuvwxyz", 7 * 28)


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
def test_many_at_once(count: int) -> None:
    """Many are as single ones are: all different, of this millisecond."""
    before = new_id()
    found = new_ids(count)
    assert len(set(found)) == count
    assert all(re.fullmatch(r"c[0-9a-z]{24}", one) for one in found)
    assert all(before[:9] <= one[:9] <= new_id()[:9] for one in found)


def test_they_are_unique() -> None:
    """A hundred thousand identifiers are all different, also those of the same millisecond."""
    assert len({new_id() for _ in range(100_000)}) == 100_000


@pytest.mark.parametrize(
    ("text", "storable"),
    [
        ("", True),
        ("cmi8g4k0v2l9w0x1qk3f7a9zt", True),
        ("Zoë \N{PILE OF POO} \N{BYTE ORDER MARK} \uffff \U0010ffff", True),
        ("\x01\x7f\n", True),
        ("\0", False),
        ("a\0b", False),
        ("\ud800", False),
        ("a\udfff", False),
        ("\ud83d\udca9", False),
        ("\0\ud800", False),
        (b"cmi8g4k0v2l9w0x1qk3f7a9zt", False),
        (0, False),
        (None, False),
    ],
)
def test_storable_texts(text: object, storable: bool) -> None:  # noqa: FBT001 - a column of the table
    """PostgreSQL can hold any text without NUL and lone surrogates, the empty one too; what is no text is not held."""
    assert storable == is_storable(text)


@given(st.text() | st.text("aé\0\x01\ud7ff\ud800\udfff\ue000"))
def test_storable_means_encodable(text: str) -> None:
    """Storable is what has only characters that UTF-8 and PostgreSQL know."""
    assert is_storable(text) == all(c != "\0" and not 0xD800 <= ord(c) <= 0xDFFF for c in text)


def test_new_identifiers_are_storable() -> None:
    """What is made here can be stored."""
    assert is_storable(new_id())
