"""The one who asks: ip addresses in one spelling, fit for storing and for counting."""

import ipaddress
import logging
from typing import Final

import pytest
from hypothesis import given, strategies as st

from pgauthkit.client import clean_ip, clean_user_agent, ip_bucket, network_bucket
from pgauthkit.identifiers import is_storable

any_text = st.text() | st.text("0123456789abcdef:.%/ \0\ud800\udfff")
v4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
# A random address is not in ::ffff:0:0/96, the IPv4-mapped ones.
v6 = st.integers(2**64, 2**128 - 1).map(ipaddress.IPv6Address)
LONG: Final = 2**20


@pytest.mark.parametrize(
    ("ip", "cleaned"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7\r\n", "203.0.113.7"),
        ("203.0.113.7%eth0", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        ("0:0:0:0:0:ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7%eth0", "203.0.113.7"),
        ("::ffff:0:0", str(ipaddress.IPv4Address(0))),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%a\nb", "fe80::1"),
        (f"1::2:3:4:5:6:7%{'e' * 49}", "1:0:2:3:4:5:6:7"),
        ("::", "::"),
        ("::1", "::1"),
        ("testclient", "testclient"),
        ("proxy.internal", "proxy.internal"),
        ("203.0.113.256", "203.0.113.256"),
        ("0203.0.113.7", "0203.0.113.7"),
        ("203.0.113.7, 10.0.0.1", "203.0.113.7, 10.0.0.1"),
        ("203.0.113.7:41234", "203.0.113.7"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("[fe80::1%eth0]:443", "fe80::1"),
        ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("2001:db8::1:443", "2001:db8::1:443"),
        ("203.0.113.7:", "203.0.113.7:"),
        ("203.0.113.7:443x", "203.0.113.7:443x"),
        ("[2001:db8::1]443", "[2001:db8::1]443"),
        ("[2001:db8::1", "[2001:db8::1"),
        ("proxy.internal:443", "proxy.internal:443"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("%eth0", "%eth0"),
        ("203.0.113\0.7", "203.0.113.7"),
        ("\0" * LONG + "203.0.113.7", "203.0.113.7"),
        ("\ud800", "?"),
        ("a" * LONG, "a" * 64),
        (" proxy.internal\n", "proxy.internal"),
        (" ", None),
        ("\0 \r\n", None),
        ("", None),
        ("\0", None),
        (None, None),
        (ipaddress.ip_address("203.0.113.7"), "203.0.113.7"),
        (ipaddress.ip_address("::ffff:203.0.113.7"), "203.0.113.7"),
        (b"203.0.113.7", "b'203.0.113.7'"),
        (7, "7"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_clean_ip(ip: object, cleaned: str | None) -> None:
    """An address has one spelling, what is none is kept as text, and nothing is None."""
    assert cleaned == clean_ip(ip)


@given(any_text)
def test_cleaned_ips_are_storable_and_stay(ip: str) -> None:
    """Whatever comes in, what comes out can be stored, has at most 64 characters, and is clean."""
    cleaned = clean_ip(ip)
    assert cleaned is None or (is_storable(cleaned) and 1 <= len(cleaned) <= 64)
    assert cleaned == clean_ip(cleaned)


@given(v4)
def test_mapped_addresses_are_folded(address: ipaddress.IPv4Address) -> None:
    """An IPv4 address is the same client when a dual-stack server writes it as IPv6."""
    mapped = ipaddress.IPv6Address(0xFFFF << 32 | int(address))
    spellings = {str(address), f"::ffff:{address}", str(mapped), mapped.exploded, mapped.exploded.upper()}
    assert {str(address)} == {clean_ip(spelling) for spelling in spellings}
    assert ip_bucket(str(address)) == str(address)


@given(v6)
def test_spellings_are_one(address: ipaddress.IPv6Address) -> None:
    """An IPv6 address is the same client in every spelling and with any scope."""
    spellings = {address.exploded, address.compressed.upper(), f"{address}%eth0", f"{address}%{'x' * LONG}"}
    assert {address.compressed} == {clean_ip(spelling) for spelling in spellings}


@given(v6, st.integers(0, 2**72 - 1))
def test_one_household_has_one_bucket(address: ipaddress.IPv6Address, host: int) -> None:
    """All the addresses of a /56 are counted together, and those of the next one are not; a /48 is behind both."""
    household = int(address) >> 72 << 72
    neighbour = ipaddress.IPv6Address(household ^ 1 << 72 | host)
    bucket = ip_bucket(str(address))
    assert ip_bucket(str(ipaddress.IPv6Address(household | host))) == bucket
    assert ip_bucket(str(neighbour)) != bucket
    assert network_bucket(str(neighbour)) == network_bucket(str(address))
    assert ipaddress.ip_network(bucket) == ipaddress.IPv6Network((household, 56))


@pytest.mark.parametrize(
    ("ip", "bucket", "network"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::/56", "2001:db8::/48"),
        ("2001:db8:0:ff:ffff:ffff:ffff:ffff", "2001:db8::/56", "2001:db8::/48"),
        ("2001:db8:0:100::1", "2001:db8:0:100::/56", "2001:db8::/48"),
        ("2001:db8:1::1", "2001:db8:1::/56", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/56", "fe80::/48"),
        ("64:ff9b::203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("64:ff9b:0:0:0:0:cb00:7107", "203.0.113.7", "203.0.113.7"),
        ("64:ff9b::1:203.0.113.7", "64:ff9b::/56", "64:ff9b::/48"),
        ("::ffff:0:203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("::1", "::/56", "::/48"),
        ("testclient", "unknown", "unknown"),
        ("203.0.113.7, 10.0.0.1", "unknown", "unknown"),
        ("203.0.113.8, 10.0.0.1", "unknown", "unknown"),
        (" ", "unknown", "unknown"),
    ],
)
def test_buckets(ip: str, bucket: str, network: str) -> None:
    """An IPv4 address is counted alone, an IPv6 address with its household, and all that is no address together."""
    assert (bucket, network) == (ip_bucket(ip), network_bucket(ip))


@pytest.mark.parametrize(("prefix", "bucket"), [(48, "2001:db8::/48"), (64, "2001:db8:0:ff::/64")])
def test_a_household_of_another_size(prefix: int, bucket: str) -> None:
    """How large a household is may be said."""
    assert bucket == ip_bucket("2001:db8:0:ff::1", prefix)


@given(any_text)
def test_any_text_has_a_bucket(ip: str) -> None:
    """Whatever comes in has one bucket, the same in every spelling that cleaning makes one of."""
    assert ip_bucket(ip) == ip_bucket(clean_ip(ip) or "")


def test_what_is_no_address_is_reported_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The log says once what a host passes that is no address, in ASCII on one line."""
    monkeypatch.setattr("pgauthkit.client._REPORTED", set())
    with caplog.at_level(logging.WARNING, "pgauthkit"):
        for ip in ("203.0.113.7", "proxy\n\u00e9", "another"):
            ip_bucket(ip)
    assert len(caplog.messages) == 1
    assert "is no address but 'proxy\\n\\xe9'; all such requests share one rate limit" in caplog.text


@pytest.mark.parametrize(
    ("user_agent", "cleaned"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (X11; Linux x86_64)"),
        (" Zoë's browser \N{GLOBE WITH MERIDIANS} ", " Zoë's browser \N{GLOBE WITH MERIDIANS} "),
        ("a\0b", "ab"),
        ("a\ud800b\udfff", "a?b?"),
        ("m" * LONG, "m" * 512),
        ("\0" * LONG + "m", "m"),
        ("\N{GLOBE WITH MERIDIANS}" * LONG, "\N{GLOBE WITH MERIDIANS}" * 512),
        ("", None),
        ("\0\0", None),
        (None, None),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_clean_user_agent(user_agent: str | None, cleaned: str | None) -> None:
    """A browser's name is kept as it is, less what cannot be stored, up to 512 characters."""
    assert cleaned == clean_user_agent(user_agent)


@given(any_text)
def test_cleaned_user_agents_are_storable_and_stay(user_agent: str) -> None:
    """Whatever comes in, what comes out can be stored and is clean."""
    cleaned = clean_user_agent(user_agent)
    assert cleaned is None or (is_storable(cleaned) and 1 <= len(cleaned) <= 512)
    assert cleaned == clean_user_agent(cleaned)
