"""Tokens: what is written is read again, and nothing else is."""

import hashlib
import re
import string
from collections.abc import Callable
from typing import Final, cast

import attrs
import pytest
from hypothesis import given, strategies as st

from pgauthkit import Secret
from pgauthkit.errors import InvalidTokenError
from pgauthkit.tokens import Kind, SecretToken, SessionToken, pasted

BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
SECRET_KINDS: Final = [Kind.MAGIC_LINK, Kind.BINDING, Kind.EMAIL_CHANGE, Kind.HANDOFF, Kind.DEVICE]
SESSION_KINDS: Final = [Kind.ACCESS, Kind.REFRESH]
LINK: Final = SecretToken(7, bytes(range(32)))
PAIR: Final = SessionToken(7, bytes(range(100, 116)), bytes(range(32)), 5)

PAIR_DIGITS: Final = "16qDHcFMrEnJ6Bm3GM2AC3XraPxgpLGvxyLLFk6m7Jin2OQHv1tQsZKEeyUuDTXbICstCapfVH"

any_text = st.text() | st.text(BASE62 + "_\0\ud800é")
secret_tokens = st.binary(min_size=33, max_size=33).map(lambda data: SecretToken(data[0], data[1:]))
session_tokens = st.binary(min_size=55, max_size=55).map(
    lambda data: SessionToken(data[0], data[7:23], data[23:], int.from_bytes(data[1:7]))
)
texts = st.one_of(
    st.builds(lambda token, kind: (kind, token.text(kind).reveal()), secret_tokens, st.sampled_from(SECRET_KINDS)),
    st.builds(lambda token, kind: (kind, token.text(kind).reveal()), session_tokens, st.sampled_from(SESSION_KINDS)),
)
PARSERS: Final[list[Callable[[str], object]]] = [
    lambda text: SecretToken.parse(Kind.MAGIC_LINK, text),
    lambda text: SecretToken.parse(Kind.BINDING, text),
    lambda text: SessionToken.parse(Kind.ACCESS, text),
    lambda text: SessionToken.parse(Kind.REFRESH, text),
    lambda text: SecretToken.parse(Kind.EMAIL_CHANGE, text),
    lambda text: SecretToken.parse(Kind.HANDOFF, text),
    lambda text: SecretToken.parse(Kind.DEVICE, text),
]


def accepted(text: str) -> list[int]:
    read = []
    for number, parse in enumerate(PARSERS):
        try:
            parse(text)
        except InvalidTokenError:
            continue
        read.append(number)
    return read


def crc32(data: bytes) -> int:
    # Bit by bit, as in ISO 3309: reflected, polynomial 0xEDB88320, all ones before and after.
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def base62(number: int, width: int) -> str:
    return "".join(BASE62[number // 62**place % 62] for place in reversed(range(width)))


def sealed(body: str) -> str:
    return body + base62(crc32(body.encode()), 6)


def written(kind: str, number: int, width: int) -> str:
    return sealed(f"pgak_{kind}_{base62(number, width)}")


def test_the_independent_crc_is_right() -> None:
    """The reimplementation below gives the check value of the CRC-32 catalogue."""
    assert crc32(b"123456789") == 0xCBF43926


@given(secret_tokens, st.sampled_from(SECRET_KINDS))
def test_a_secret_token_is_read_as_written(token: SecretToken, kind: Kind) -> None:
    """Every token of one secret comes back from its text."""
    assert token == SecretToken.parse(kind, token.text(kind).reveal())


@given(session_tokens, st.sampled_from(SESSION_KINDS))
def test_a_session_token_is_read_as_written(token: SessionToken, kind: Kind) -> None:
    """Every token of a session comes back from its text."""
    assert token == SessionToken.parse(kind, token.text(kind).reveal())


@given(secret_tokens, st.sampled_from(SECRET_KINDS))
def test_text_of_a_secret_token(token: SecretToken, kind: Kind) -> None:
    """The text is prefix, kind, payload in base 62 of the order `0-9A-Za-z`, and six digits of CRC-32."""
    number = int.from_bytes(bytes([token.pepper_id]) + token.secret, "big")
    assert Secret(written(kind.value, number, 45)) == token.text(kind)


@given(session_tokens, st.sampled_from(SESSION_KINDS))
def test_text_of_a_session_token(token: SessionToken, kind: Kind) -> None:
    """The payload of a session's token is the pepper's id, the generation, the selector and the secret."""
    generation = token.generation.to_bytes(6, "big")
    number = int.from_bytes(bytes([token.pepper_id]) + generation + token.selector + token.secret, "big")
    assert Secret(written(kind.value, number, 74)) == token.text(kind)


@given(texts)
def test_text_matches_the_documented_expression(text: tuple[Kind, str]) -> None:
    """Secret scanners find tokens by one expression; a link has 59 characters, a session's token 88."""
    kind, token = text
    assert re.fullmatch(rf"pgak_{kind}_[0-9A-Za-z]+", token)
    assert len(token) == (59 if kind in SECRET_KINDS else 88)


@pytest.mark.parametrize(
    ("token", "kind", "text"),
    [
        (SecretToken(0, bytes(32)), Kind.MAGIC_LINK, f"pgak_ml_{'0' * 45}42gLMC"),
        (SecretToken(255, b"\xff" * 32), Kind.BINDING, "pgak_bd_42ebS5q5hiPQaogoRbMMUhKkS7mY5F842DTGCCUy3HeiF4c9wVb"),
        (LINK, Kind.MAGIC_LINK, "pgak_ml_06qwElnNtRutqrvZeMB1aOBUIezV1XQmgoSkibIYkG2Wt0ZfH58"),
        (PAIR, Kind.ACCESS, f"pgak_at_{PAIR_DIGITS}3JgG6p"),
        (PAIR, Kind.REFRESH, f"pgak_rt_{PAIR_DIGITS}2QTsCh"),
    ],
)
def test_the_text_form_never_changes(token: SecretToken | SessionToken, kind: Kind, text: str) -> None:
    """Tokens in people's mailboxes and browsers must be readable by every later version."""
    assert text == token.text(kind).reveal()


def test_a_token_of_a_session_without_a_generation_is_refused() -> None:
    """A token as it was made before there were generations is malformed, whatever it was good for."""
    payload = bytes([PAIR.pepper_id]) + PAIR.selector + PAIR.secret
    for kind in SESSION_KINDS:
        assert accepted(written(kind.value, int.from_bytes(payload, "big"), 66)) == []


def test_generations() -> None:
    """What is hashed has the generation in it; after the last that there is room for comes the first."""
    last = SessionToken(0, PAIR.selector, PAIR.secret, 256**6 - 1)
    assert (PAIR.proof, PAIR.next_generation) == (bytes([0, 0, 0, 0, 0, 5]) + PAIR.secret, 6)
    assert (last.proof, last.next_generation) == (b"\xff" * 6 + PAIR.secret, 0)


def test_new_tokens() -> None:
    """A new token names its pepper and has 32 random bytes of secret, and 16 of selector in a session."""
    links = [SecretToken.new(3) for _ in range(100)]
    pairs = [SessionToken.new(3) for _ in range(100)]
    assert {(token.pepper_id, len(token.secret)) for token in links} == {(3, 32)}
    assert {(token.pepper_id, len(token.selector), len(token.secret)) for token in pairs} == {(3, 16, 32)}
    drawn = {link.secret for link in links} | {pair.secret for pair in pairs} | {pair.selector for pair in pairs}
    assert len(drawn) == 300


@given(texts, st.data())
def test_any_changed_character_is_refused(text: tuple[Kind, str], data: st.DataObject) -> None:
    """A text that differs in one character, whichever and wherever, is no token."""
    token = text[1]
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw((st.sampled_from(BASE62 + "_") | st.characters()).filter(lambda other: other != token[place]))
    assert accepted(token[:place] + character + token[place + 1 :]) == []


@pytest.mark.parametrize(
    "text", [LINK.text(Kind.MAGIC_LINK).reveal(), PAIR.text(Kind.REFRESH).reveal()], ids=["ml", "rt"]
)
def test_every_slip_is_refused(text: str) -> None:
    """No change, loss, doubling or swap of neighbours of one character gives another token."""
    places = range(len(text))
    changed = {text[:i] + digit + text[i + 1 :] for i in places for digit in BASE62}
    shorter = {text[:i] + text[i + 1 :] for i in places}
    longer = {text[:i] + text[i] + text[i:] for i in places} | {f" {text}", f"{text} ", f"{text}\n", f"{text}="}
    swapped = {text[:i] + text[i + 1 : i + 2] + text[i : i + 1] + text[i + 2 :] for i in places}
    slips = (changed | shorter | longer | swapped | {text.swapcase(), text[::-1]}) - {text}
    assert [slip for slip in slips if accepted(slip)] == []


@given(texts)
def test_a_token_of_one_kind_is_no_other(text: tuple[Kind, str]) -> None:
    """A token is read as its own kind and refused as all others."""
    kind, token = text
    kinds = [*SECRET_KINDS[:2], *SESSION_KINDS, *SECRET_KINDS[2:]]
    assert [kind] == [kinds[number] for number in accepted(token)]


@given(st.sampled_from([(45, SECRET_KINDS), (74, SESSION_KINDS)]), st.integers(1, 2**32 - 1), st.data())
def test_a_wrong_checksum_is_refused(shape: tuple[int, list[Kind]], slip: int, data: st.DataObject) -> None:
    """A text of the right shape with another checksum is no token."""
    width, kinds = shape
    body = f"pgak_{data.draw(st.sampled_from(kinds))}_{data.draw(st.text(BASE62, min_size=width, max_size=width))}"
    assert accepted(body + base62(crc32(body.encode()) ^ slip, 6)) == []


@pytest.mark.parametrize(
    ("kinds", "width", "size"), [(SECRET_KINDS, 45, 33), (SESSION_KINDS, 74, 55)], ids=["secret", "session"]
)
def test_a_payload_out_of_range_is_refused(kinds: list[Kind], width: int, size: int) -> None:
    """The largest payload is read; the next number, and all `z`, have too many bits, whatever their checksum says."""
    for kind in kinds:
        assert len(accepted(written(kind, 256**size - 1, width))) == 1
        assert accepted(written(kind, 256**size, width)) == []
        assert accepted(written(kind, 62**width - 1, width)) == []


@pytest.mark.parametrize(
    "body",
    [
        "0" * 53,
        "0" * 72 + "00",
        "pgak_xx_" + "0" * 45,
        "PGAK_ML_" + "0" * 45,
        "pgak_ml_" + "_" * 45,
        "pgak_ml_" + "0" * 44 + "-",
        "pgak_ml_ " + "0" * 44,
        "pgak_ml_\0" + "0" * 44,
        "pgak_ml_\N{LATIN SMALL LETTER E WITH ACUTE}" + "0" * 44,
        "pgak_ml_\N{ARABIC-INDIC DIGIT ZERO}" + "0" * 44,
        "pgak_rt_" + "0" * 73 + "\N{SUPERSCRIPT TWO}",
        "pgak_ml_" + "0" * 44,
        "pgak_ml_" + "0" * 46,
        "pgak_rt_" + "0" * 73,
        "pgak_rt_" + "0" * 66,
        "pgak_rt_" + "0" * 75,
    ],
    ids=ascii,
)
def test_a_right_checksum_makes_up_for_nothing(body: str) -> None:
    """Another prefix, alphabet or length is refused although the checksum is right, so a token has one text."""
    assert accepted(sealed(body)) == []


def test_a_checksum_has_one_text() -> None:
    """What stands for no digit in the checksum is not read as zero."""
    good = sealed(f"pgak_ml_{'0' * 44}8")
    assert "0" in good[-6:]
    assert accepted(good) == [0]
    assert accepted(good[:-6] + good[-6:].replace("0", "_")) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("pgak", id="prefix"),
        pytest.param("pgak_ml_", id="kind"),
        pytest.param("\0" * 59, id="NUL"),
        pytest.param("pgak_ml_" + "\0" * 51, id="NUL in the payload"),
        pytest.param("\ud800" * 59, id="lone surrogates"),
        pytest.param("pgak_ml_" + "\ud800" * 51, id="lone surrogates in the payload"),
        pytest.param("pgak_ml_" + "\N{ARABIC-INDIC DIGIT ONE}" * 51, id="other digits"),
        pytest.param("pgak_ml_" + "\N{FULLWIDTH DIGIT ZERO}" * 51, id="wide digits"),
        pytest.param("pgak_ml_" + "\N{SUPERSCRIPT TWO}" * 51, id="superscripts"),
        pytest.param("pgak_ml_" + "_" * 51, id="underscores"),
        pytest.param("pgak_ml_" + "-" * 51, id="dashes"),
        pytest.param("pgak_ml_+" + "0" * 50, id="plus"),
        pytest.param("pgak_ml_" + "0" * 45 + "      ", id="blank checksum"),
        pytest.param("PGAK_ML_" + "0" * 51, id="upper case"),
        pytest.param("pgak_xx_" + "0" * 51, id="unknown kind"),
        pytest.param("pgak_ml_" * 7 + "pga", id="prefixes"),
        pytest.param("z" * 2**20, id="1 MB"),
        pytest.param("pgak_ml_" + "z" * 2**20, id="1 MB with prefix"),
        pytest.param("pgak_rt_" * 2**17, id="1 MB of prefixes"),
        pytest.param("\ud800" * 2**20, id="1 MB of surrogates"),
    ],
)
def test_rubbish_is_refused(text: str) -> None:
    """Rubbish of any kind and size is an `InvalidTokenError`, never another exception."""
    assert accepted(text) == []


@given(
    any_text
    | st.text(BASE62, min_size=51, max_size=51).map(lambda text: f"pgak_ml_{text}")
    | st.text(BASE62 + "\0\ud800é", min_size=72, max_size=72).map(lambda text: f"pgak_rt_{text}")
)
def test_ghsa_xmf8_cvqr_rfgj_any_text_is_refused(text: str) -> None:
    """GHSA-xmf8-cvqr-rfgj: a malformed token, also one of the right shape, is refused and breaks nothing."""
    assert accepted(text) == []


@given(
    st.binary() | st.binary(min_size=59, max_size=59) | st.none() | st.integers() | st.lists(st.text()) | st.booleans()
)
def test_ghsa_xmf8_cvqr_rfgj_what_is_no_text_is_refused(value: object) -> None:
    """GHSA-xmf8-cvqr-rfgj: bytes, None and whatever else JSON may hold are `InvalidTokenError`s too."""
    assert accepted(cast("str", value)) == []


def test_a_token_in_bytes_is_refused() -> None:
    """A good token is a text; its bytes are not."""
    assert accepted(cast("str", LINK.text(Kind.MAGIC_LINK).reveal().encode())) == []


def test_the_refusal_does_not_show_the_token() -> None:
    """Neither the error nor what it was raised from holds the text."""
    for text in (LINK.text(Kind.BINDING).reveal(), written("ml", 62**45 - 1, 45)):
        with pytest.raises(InvalidTokenError) as caught:
            SecretToken.parse(Kind.MAGIC_LINK, text)
        error = caught.value
        told = f"{error!s} {error!r} {error.args} {vars(error)} {error.__cause__} {error.__context__}"
        assert text[8:] not in told


@given(secret_tokens | session_tokens)
def test_print_shows_no_secret(token: SecretToken | SessionToken) -> None:
    """Of a token only the pepper's id is printed."""
    expected = f"{type(token).__name__}(pepper_id={token.pepper_id})"
    assert {expected} == {repr(token), str(token), f"{token}"}


@pytest.mark.parametrize("kind", Kind)
def test_text_is_a_secret(kind: Kind) -> None:
    """The text of a token is masked until it is revealed."""
    assert [str(LINK.text(kind)), str(PAIR.text(kind))] == ["********", "********"]


@given(session_tokens)
def test_the_access_selector_is_a_hash(token: SessionToken) -> None:
    """The access token's selector is a hash of the refresh token's, so that it does not tell that one."""
    assert hashlib.sha256(b"at" + token.selector).digest()[:16] == token.access_selector


def test_sessions_have_different_access_selectors() -> None:
    """Different sessions are found by different selectors."""
    tokens = [SessionToken.new(0) for _ in range(1000)]
    assert len({token.access_selector for token in tokens} | {token.selector for token in tokens}) == 2000


@pytest.mark.parametrize(("token", "field"), [(LINK, "secret"), (PAIR, "selector"), (PAIR, "pepper_id")])
def test_tokens_are_frozen(token: SecretToken | SessionToken, field: str) -> None:
    """A token cannot be changed."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(token, field, b"")


def test_kinds() -> None:
    """The kinds are two letters each, written into every token."""
    assert [kind.value for kind in Kind] == ["ml", "at", "rt", "bd", "ec", "ho", "dv"]


@pytest.mark.parametrize(
    "shape",
    [
        "{}",
        "{}.",
        "<{}>",
        "({})",
        '"{}"',
        " {}\r\n",
        "\u200b{}\u200b",
        "3D{}",
        "=3D{}",
        "{}=",
        "{}=\n",
        "\u00ab{}\u00bb,",
    ],
    ids=ascii,
)
def test_a_token_as_pasted(shape: str) -> None:
    """What a mail program leaves around a link's token, and the line breaks that it puts in, are no part of it."""
    token = LINK.text(Kind.MAGIC_LINK).reveal()
    assert pasted(shape.format(token)) == token
    for line_break in ("=\r\n", "=\n", "\n", "\u00ad", "\u200b"):
        assert pasted(shape.format(token[:30] + line_break + token[30:])) == token


@pytest.mark.parametrize(
    "shape", ["x{}", "{}x", "{}_", "_{}", "\0{}", "{}\x7f", "{0} {0}", "\u00e9{}", "{}" + "." * 512]
)
def test_what_is_not_left_by_a_mail_program(shape: str) -> None:
    """Letters, digits and control characters beside a token make another text of it, which is refused."""
    assert accepted(pasted(shape.format(LINK.text(Kind.MAGIC_LINK).reveal()))) == []


@given(any_text | st.none() | st.binary())
def test_any_paste_is_a_text(value: object) -> None:
    """Whatever is given, what comes back is the text of a token or nothing, and cleaning it again changes nothing."""
    assert pasted(value) == pasted(pasted(value))
