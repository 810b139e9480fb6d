"""Identifiers: their shape, their order, and that no two are the same."""

import os
import re
import time
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given, strategies as st

from pgauthkit.identifiers import is_storable, new_id

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


@given(st.binary(min_size=16, max_size=16))
def test_the_rest_is_random(noise: bytes) -> None:
    """The last sixteen characters are what the operating system's generator gave, in base 36."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", lambda size: noise[:size])
        identifier = new_id()
    assert int.from_bytes(noise) % 36**16 == int(identifier[9:], 36)


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
