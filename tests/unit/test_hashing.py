"""What is stored instead of a secret, against independent computations."""

import dataclasses
import hashlib
import hmac
from datetime import timedelta
from typing import Final

import argon2
import pytest
from hypothesis import given, strategies as st

from pgauthkit import Secret
from pgauthkit.config import AuthConfig, Pepper
from pgauthkit.errors import InvalidTokenError
from pgauthkit.hashing import Hasher, Purpose, selector_hash, successor

OLD: Final = Pepper(id=1, secret=Secret("the-old-pepper-0123456789abcdef0123456789"))
NEW: Final = Pepper(id=200, secret=Secret("der neue Pfeffer: äöüßÄÖÜ-0123456789"))
CHEAP: Final = argon2.profiles.CHEAPEST
PLAIN: Final = Hasher(AuthConfig(argon2=CHEAP))
PEPPERED: Final = Hasher(AuthConfig(peppers=[NEW, OLD], argon2=CHEAP))
ROLLING_OUT: Final = Hasher(AuthConfig(peppers=[NEW, OLD], accept_unpeppered=True, argon2=CHEAP))

secrets = st.binary(max_size=64)
purposes = st.sampled_from(Purpose)
any_text = st.text() | st.text("aé\0\ud800\udfff")


def accepted(hasher: Hasher) -> list[int]:
    ids = []
    for pepper_id in range(256):
        try:
            hasher.accept(pepper_id)
        except InvalidTokenError:
            continue
        ids.append(pepper_id)
    return ids


@given(purposes, secrets)
def test_without_a_pepper_it_is_sha_256(purpose: Purpose, secret: bytes) -> None:
    """Under id 0 the digest is SHA-256 of the purpose, a NUL and the secret."""
    expected = hashlib.sha256(purpose.value.encode() + b"\0" + secret).digest()
    assert expected == PLAIN.digest(purpose, secret, 0)
    assert expected == ROLLING_OUT.digest(purpose, secret, 0)


@given(purposes, secrets, st.sampled_from([OLD, NEW]))
def test_with_a_pepper_it_is_hmac_sha_256(purpose: Purpose, secret: bytes, pepper: Pepper) -> None:
    """Under a pepper the digest is HMAC-SHA-256 of the same, keyed with the pepper's text in UTF-8."""
    key = pepper.secret.reveal().encode("utf-8")
    expected = hmac.new(key, purpose.value.encode() + b"\0" + secret, hashlib.sha256).digest()
    assert expected == PEPPERED.digest(purpose, secret, pepper.id)


@pytest.mark.parametrize(
    ("pepper_id", "digest"),
    [
        (0, "3807c9773f0811b19ec47c65830fca4cf3bdb51c5d96bec4f0dd970bb42daf08"),
        (1, "4b6dac71e554ee753436a32ebba28ac1f52dffaa652f7056fff2e0ce8137fe65"),
        (200, "b4d4f69ed2e9ff4f3a4e26b1ce7228acafb7c239d7a28a57678e5e38462ff8fc"),
    ],
)
def test_digests_never_change(pepper_id: int, digest: str) -> None:
    """What is in hosts' databases must be found by every later version."""
    assert digest == ROLLING_OUT.digest(Purpose.MAGIC_LINK, bytes(range(32)), pepper_id).hex()


@given(secrets)
def test_purposes_and_peppers_differ(secret: bytes) -> None:
    """One secret has another digest of 32 bytes for each purpose and each pepper, and none."""
    digests = {ROLLING_OUT.digest(purpose, secret, pepper_id) for purpose in Purpose for pepper_id in (0, 1, 200)}
    assert len(digests) == 3 * len(Purpose)
    assert {32} == set(map(len, digests))


def test_purposes_do_not_run_into_secrets() -> None:
    """No purpose is the beginning of another with its separator, so that labels cannot be shifted into secrets."""
    labels = [purpose.encode() + b"\0" for purpose in Purpose]
    assert [one for one in labels for other in labels if one != other and other.startswith(one)] == []
    assert [label for label in labels if label.count(b"\0") != 1] == []


@pytest.mark.parametrize(
    ("hasher", "current", "ids"),
    [
        (PLAIN, 0, [0]),
        (PEPPERED, 200, [1, 200]),
        (ROLLING_OUT, 200, [0, 1, 200]),
        (Hasher(AuthConfig(peppers=[OLD])), 1, [1]),
        (Hasher(AuthConfig(accept_unpeppered=True)), 0, [0]),
    ],
    ids=["plain", "peppered", "rolling out", "one pepper", "unpeppered without peppers"],
)
def test_accepted_peppers(hasher: Hasher, current: int, ids: list[int]) -> None:
    """The first pepper is current, all are accepted, and tokens without one only while asked for or without peppers."""
    assert (current, ids) == (hasher.current, accepted(hasher))


def test_a_refused_pepper_says_no_more_than_a_wrong_token() -> None:
    """A token of an unknown pepper is an `InvalidTokenError` like any other."""
    with pytest.raises(InvalidTokenError, match=r"^The token is malformed, of another kind, or unknown\.$"):
        PLAIN.accept(1)


@given(purposes, any_text)
def test_a_key_is_the_digest_of_a_text(purpose: Purpose, text: str) -> None:
    """The key of any text, lone surrogates and all, is its digest under the current pepper."""
    data = text.encode("utf-8", "surrogatepass")
    assert PLAIN.digest(purpose, data, 0) == PLAIN.key(purpose, text)
    assert PEPPERED.digest(purpose, data, 200) == PEPPERED.key(purpose, text)


def test_only_peppers_change_a_hash() -> None:
    """Two hosts with the same peppers find each other's rows, whatever else is configured and in whichever order."""
    other = Hasher(AuthConfig(peppers=[OLD, NEW], codes=True, access_ttl=timedelta(minutes=1)))
    assert PEPPERED.digest(Purpose.ACCESS, b"x", 1) == other.digest(Purpose.ACCESS, b"x", 1)
    assert PEPPERED.key(Purpose.EMAIL, "ada@example.com") != other.key(Purpose.EMAIL, "ada@example.com")


@given(st.binary(min_size=16, max_size=16))
def test_selectors_are_hashed_without_a_pepper(selector: bytes) -> None:
    """A session is found by SHA-256 of its labelled selector, whichever peppers a host has."""
    expected = hashlib.sha256(b"selector\0" + selector).digest()
    assert expected == selector_hash(selector)
    assert expected not in {PLAIN.digest(purpose, selector, 0) for purpose in Purpose}


@given(st.sampled_from(["at", "rt"]), st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_the_successor_is_a_keyed_hash(kind: str, secret: bytes, nonce: bytes) -> None:
    """Whoever refreshes with the same secret and nonce gets the same 32 bytes: HMAC-SHA-256 of kind and nonce."""
    expected = hmac.new(secret, kind.encode() + b"\0" + nonce, hashlib.sha256).digest()
    assert expected == successor(kind, secret, nonce)
    assert expected == successor(kind, secret, nonce)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_successors_are_all_different(secret: bytes, nonce: bytes) -> None:
    """The access and the refresh token, another nonce, and another secret have different successors."""
    other_nonce, other_secret = bytes([nonce[0] ^ 1]) + nonce[1:], bytes([secret[0] ^ 1]) + secret[1:]
    arguments = [("at", secret, nonce), ("rt", secret, nonce), ("rt", secret, other_nonce), ("rt", other_secret, nonce)]
    assert len({secret} | {successor(*each) for each in arguments}) == 5


class TestCodes:
    def test_argon2id_over_the_peppered_digest(self) -> None:
        """A code is stored as the pepper's id and a salted argon2id of its digest together with the link's id."""
        for hasher, pepper_id in ((PLAIN, 0), (PEPPERED, 200)):
            stored = hasher.hash_code("c1", "WDJBMJHT")
            number, _, encoded = stored.partition("$")
            assert str(pepper_id) == number
            assert argon2.extract_parameters(f"${encoded}") == CHEAP
            assert argon2.PasswordHasher().verify(
                f"${encoded}", hasher.digest(Purpose.CODE, b"c1\0WDJBMJHT", pepper_id)
            )
            assert stored != hasher.hash_code("c1", "WDJBMJHT")

    @pytest.mark.parametrize(
        ("link_id", "code", "matches"),
        [
            ("c1", "WDJBMJHT", True),
            ("c1", "WDJBMJHX", False),
            ("c1", "wdjbmjht", False),
            ("c1", "", False),
            ("c1", "WDJBMJHT\0", False),
            ("c1", "\ud800", False),
            ("c1", "W" * 2**20, False),
            ("c2", "WDJBMJHT", False),
            ("\ud800", "WDJBMJHT", False),
            ("", "c1\0WDJBMJHT", False),
        ],
        ids=lambda value: ascii(value)[:20],
    )
    def test_a_code_is_good_with_its_link_only(self, link_id: str, code: str, matches: bool) -> None:  # noqa: FBT001
        """Neither another code nor another link's id matches, and no text breaks anything."""
        assert matches == PEPPERED.matches_code(link_id, code, PEPPERED.hash_code("c1", "WDJBMJHT"))

    @pytest.mark.parametrize("code", ["", "WDJBMJHT", "\ud800"])
    def test_where_there_is_no_code_none_matches(self, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a stored code the answer is no, after the same work as with one."""
        costs: list[argon2.Parameters] = []
        verify = argon2.PasswordHasher.verify

        def counted(hasher: argon2.PasswordHasher, encoded: str, secret: bytes) -> bool:
            costs.append(argon2.extract_parameters(encoded))
            return verify(hasher, encoded, secret)

        monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
        assert not PLAIN.matches_code("c1", code, None)
        assert not PLAIN.matches_code("", code, None)
        assert costs == [CHEAP, CHEAP]

    def test_other_peppers(self) -> None:
        """A code outlives a change of the first pepper, and ends with its own."""
        old, plain = Hasher(AuthConfig(peppers=[OLD], argon2=CHEAP)), PLAIN.hash_code("c1", "WDJBMJHT")
        stored = old.hash_code("c1", "WDJBMJHT")
        assert PEPPERED.matches_code("c1", "WDJBMJHT", stored)
        assert not PLAIN.matches_code("c1", "WDJBMJHT", stored)
        assert not PEPPERED.matches_code("c1", "WDJBMJHT", plain)
        assert ROLLING_OUT.matches_code("c1", "WDJBMJHT", plain)

    def test_other_costs(self) -> None:
        """A code hashed at another cost is still checked, since the cost is written beside the hash."""
        dearer = Hasher(AuthConfig(argon2=dataclasses.replace(CHEAP, time_cost=2)))
        assert PLAIN.matches_code("c1", "WDJBMJHT", dearer.hash_code("c1", "WDJBMJHT"))


def test_print_shows_no_pepper() -> None:
    """A hasher's `repr` says nothing."""
    assert "pepper-0123" not in f"{PEPPERED!r} {PEPPERED}"
