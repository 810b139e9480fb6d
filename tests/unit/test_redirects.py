"""Redirects stay home: paths of the same site, and what the host allows by name."""

import re
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given, settings, strategies as st

from pgauthkit.errors import InvalidRedirectError
from pgauthkit.redirects import checked_redirect, is_absolute_address

APP: Final = "https://app.example.com"
DOCS: Final = "https://app.example.com/docs"
PIECES: Final = (
    *(
        "/",
        "//",
        "\\",
        ".",
        "..",
        "e",
        "evil.example",
        "home.example",
        "@",
        ":",
        "?",
        "#",
        ";",
        "&",
        "[",
        "]",
        "%",
        " ",
    ),
    *("https:", "https://", "http:", "javascript:", "data:", "x%", "%2", "%2e", "%2E%2e", "%2f", "%2F", "%252f", "%25"),
    *("%5c", "%255C", "%09", "%00", "%0d%0a", "%20", "%c2%a0", "%40", "%3a", "%ff", "\t", "\r", "\n", "\0", "\x7f"),
    *("\N{FULLWIDTH SOLIDUS}", "\N{FULLWIDTH FULL STOP}", "\N{IDEOGRAPHIC FULL STOP}", "\N{NO-BREAK SPACE}"),
    *("\N{FRACTION SLASH}", "\N{REVERSE SOLIDUS OPERATOR}", "\N{ZERO WIDTH SPACE}", "\N{RIGHT-TO-LEFT OVERRIDE}"),
    *("\N{LINE SEPARATOR}", "\N{LATIN SMALL LETTER U WITH DIAERESIS}", "\ud800", "\udfff"),
)
puzzles = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
targets = st.text() | st.text("/\\%25fFcCe.:@?# \t\ud800") | puzzles | puzzles.map(lambda text: f"/{text}")


def accepted(target: str, *allowed: str) -> bool:
    try:
        return checked_redirect(target, allowed) == target
    except InvalidRedirectError:
        return False


def as_browsers_read(target: str) -> str:
    # https://url.spec.whatwg.org/#concept-basic-url-parser: blanks around go, tabs and line breaks go, \ is /.
    return re.sub(r"[\t\r\n]", "", target.strip("".join(map(chr, range(0x21))))).replace("\\", "/")


def origin(target: str) -> str:
    parts = urlsplit(urljoin("https://home.example/x", target))
    return f"{parts.scheme}://{parts.netloc}"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/inbox",
        "/inbox/",
        "/inbox?unread=1&next=//evil.example#top",
        "/inbox?next=https%3A%2F%2Fevil.example",
        "/inbox?at=10:30&who=ada@example.com",
        "/inbox#//evil.example",
        "/a/./b",
        "/a//b",
        "/a/..b/c..",
        "/a%20b",
        "/a%2Fb",
        "/100%",
        "/a@b:c",
        "/%40evil.example",
        "/%ff",
        "/caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        "/caf%C3%A9",
        "/" + "a" * 2047,
    ],
    ids=lambda target: ascii(target)[:60],
)
def test_paths_of_the_same_site(target: str) -> None:
    """A path that starts with one slash is returned as it is, whatever its query and fragment."""
    assert target == checked_redirect(target)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "inbox",
        "./inbox",
        "?next=/",
        "#top",
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        "/\0/evil.example",
        "/%09/evil.example",
        "/%0a/evil.example",
        "/%0D%0ASet-Cookie:%20a=b",
        "/%00",
        "/a%00b",
        "/%7f",
        "/%5Cevil.example",
        "/%5cevil.example",
        "/%255Cevil.example",
        "/%25255Cevil.example",
        "/%2Fevil.example",
        "/%2fevil.example",
        "/%252Fevil.example",
        "/%25252525252Fevil.example",
        "%2F%2Fevil.example",
        "%2Fevil.example",
        "/a%5Cb",
        "/%2509/evil.example",
        "/%E2%80%AE",
        "/%C2%A0/evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "https://evil.example",
        "HTTPS://evil.example",
        "http://home.example",
        "https://home.example@evil.example",
        "//home.example@evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "javascript://home.example/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "mailto:ada@example.com",
        " /inbox",
        "/inbox ",
        "/in box",
        "\t/inbox",
        "/inbox\n",
        "/inbox\r\nSet-Cookie: a=b",
        "/inbox?a=1\r\nSet-Cookie: a=b",
        "/inbox#\x00",
        "/inbox?a=\\",
        "\x01/inbox",
        "/\N{NO-BREAK SPACE}/evil.example",
        "/\N{IDEOGRAPHIC SPACE}",
        "/\N{ZERO WIDTH SPACE}",
        "\N{ZERO WIDTH NO-BREAK SPACE}//evil.example",
        "/\N{RIGHT-TO-LEFT OVERRIDE}",
        "/\N{LINE SEPARATOR}",
        "/\x85",
        "/..",
        "/../",
        "/../evil",
        "/a/../b",
        "/a/..",
        "/%2e%2e/evil",
        "/.%2E/evil",
        "/%252e%252e/evil",
        "/a%2f..%2fb",
        "/a/..?b",
        "/a/..#b",
        "\ud800",
        "/\udfff",
        "/" + "a" * 2048,
        "/" + "a" * 2**20,
        "/" + "%25" * 2**18,
        "https://[",
        "//[",
    ],
    ids=lambda target: ascii(target)[:60],
)
def test_cve_2023_49438_everything_else_is_refused(target: str) -> None:
    """CVE-2023-49438: whatever some browser or server may read as another site, or another folder, is refused."""
    assert not accepted(target)
    assert not accepted(target, APP, "https://home.example")


@pytest.mark.parametrize(
    ("target", "entry"),
    [
        (APP, APP),
        (f"{APP}/", APP),
        (APP, f"{APP}/"),
        (f"{APP}/inbox?a=1#b", APP),
        (f"{APP}?a=1", APP),
        (f"{APP}#b", APP),
        (DOCS, DOCS),
        (f"{DOCS}/", DOCS),
        (DOCS, f"{DOCS}/"),
        (f"{DOCS}/a/b?c", DOCS),
        (f"{DOCS}?c", DOCS),
        ("HTTPS://APP.example.COM/docs", DOCS),
        (DOCS, "HTTPS://APP.Example.com/docs"),
        ("https://app.example.com:8443/a", "https://app.example.com:8443"),
        ("https://app.example.com:443/a", "https://app.example.com"),
        ("https://app.example.com:/a", "https://app.example.com"),
        ("https://app.example.com/a", "https://app.example.com:443"),
        ("http://localhost:80/a", "http://localhost"),
        ("https://xn--bcher-kva.example/a", "https://b\u00fccher.example"),
        ("https://B\u00dcCHER.example:443/a", "https://xn--bcher-kva.example"),
        ("http://localhost:3000/a", "http://localhost:3000"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]"),
        ("com.example.app://signed-in/x", "com.example.app://signed-in"),
    ],
)
def test_allowed_addresses(target: str, entry: str) -> None:
    """An absolute address is good when an entry has its scheme, host and port, and a path at or above it."""
    assert accepted(target, "https://other.example", entry)
    assert not accepted(target)


@pytest.mark.parametrize(
    ("target", "entry"),
    [
        ("http://app.example.com/", APP),
        ("https://app.example.com.evil.example/", APP),
        ("https://app.example.comevil.example/", APP),
        ("https://evil.example/app.example.com", APP),
        ("https://evil.example?https://app.example.com", APP),
        ("https://evil.example#@app.example.com", APP),
        ("https://app.example.com@evil.example/", APP),
        ("https://ada@app.example.com/", APP),
        ("https://ada:secret@app.example.com/", APP),
        ("https://@app.example.com/", APP),
        ("https://app.example.com:80/", APP),
        ("https://app.example.com:8443/", APP),
        ("https://app.example.com:x/", APP),
        ("https://stra\u00dfe.example/", "https://strasse.example"),
        ("https://\u0661.example/", "https://1.example"),
        ("https://app.example.com/", "https://app.example.com:8443"),
        ("https://app.example.com./", APP),
        ("https://sub.app.example.com/", APP),
        ("https://example.com/", APP),
        ("https://app%2eexample.com/", APP),
        ("https://app.example.com\\@evil.example/", APP),
        ("https://app.example.com%5C@evil.example/", APP),
        ("https://app\N{FULLWIDTH FULL STOP}example.com/", APP),
        ("https://app.example.com\N{FULLWIDTH SOLIDUS}e/", APP),
        ("https:app.example.com/", APP),
        ("https:/app.example.com/", APP),
        ("https:///app.example.com/", APP),
        ("//app.example.com/", APP),
        ("app.example.com/", APP),
        (APP, DOCS),
        (f"{APP}/docsx", DOCS),
        (f"{APP}/docs.html", DOCS),
        (f"{APP}/DOCS", DOCS),
        (f"{APP}/do%63s", DOCS),
        (f"{APP}/docs%2Fa", DOCS),
        (f"{APP}//docs", DOCS),
        (f"{APP}/x/docs", DOCS),
        (f"{APP}/docs/../admin", DOCS),
        (f"{APP}/docs/%2e%2e/admin", DOCS),
        (f"{APP}/docs/%252E%252E/admin", DOCS),
        (f"{APP}/docs/..", DOCS),
        (f"{APP}/docs/\t../admin", DOCS),
        (f"{APP}/docs/%0a", DOCS),
        (f"{APP}/docs\\..\\admin", DOCS),
        (f"{APP}/docs/ ", DOCS),
        (f"{DOCS}/{'a' * 2048}", DOCS),
        ("https://[2001:db8::1", "https://[2001:db8::1]"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1"),
        ("javascript:alert(1)", "https://app.example.com"),
    ],
    ids=lambda text: ascii(text)[:60],
)
def test_addresses_beside_the_allowed_ones(target: str, entry: str) -> None:
    """Another scheme, host, port, user or path is refused; a path matches whole segments only."""
    assert not accepted(target, entry)


@pytest.mark.parametrize("target", [None, 0, b"/inbox", ["/inbox"]])
def test_what_is_no_text(target: Any) -> None:  # noqa: ANN401 - that is the point
    """What is no text is refused as a redirect."""
    assert not accepted(target)


@given(targets, st.lists(puzzles | st.sampled_from([APP, DOCS]), max_size=3))
def test_a_list_only_adds(target: str, allowed: list[str]) -> None:
    """Any text is returned unchanged or is an `InvalidRedirectError`, and a list of any texts only adds to what is."""
    assert accepted(target, *allowed) or not accepted(target)


@given(targets)
@settings(max_examples=200)
@example("/a%2Fb")
@example("/a%252Fb?c")
def test_what_is_accepted_stays_home(target: str) -> None:
    """What is accepted without a list stays on the site, as libraries and browsers read it, decoded or not."""
    readings = [
        target,
        unquote(target),
        unquote(unquote(target)),
        as_browsers_read(target),
        as_browsers_read(unquote(target)),
    ]
    origins = {origin(reading) for reading in readings if accepted(target)}
    assert origins <= {"https://home.example"}


@given(puzzles)
def test_what_is_accepted_below_an_allowed_address_stays_there(puzzle: str) -> None:
    """What follows an allowed address, and is accepted, stays on its origin and below its path."""
    target = f"{DOCS}{puzzle}"
    readings = [urlsplit(as_browsers_read(reading)) for reading in (target, unquote(target)) if accepted(target, DOCS)]
    assert {(reading.scheme, reading.netloc) for reading in readings} <= {("https", "app.example.com")}
    assert all(f"{reading.path}/".startswith("/docs/") for reading in readings)


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\\"), max_size=100))
def test_quoted_values_are_accepted(value: str) -> None:
    """A host may carry any visible text along in the query, percent-encoded or not."""
    assert accepted(f"/search?q={quote(value)}")
    assert accepted(f"/search?q={value}")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (APP, True),
        (DOCS, True),
        (f"{DOCS}/", True),
        ("http://localhost:3000", True),
        ("https://[2001:db8::1]:8443/a", True),
        ("com.example.app://signed-in", True),
        ("HTTPS://APP.EXAMPLE.COM", True),
        ("", False),
        ("/docs", False),
        ("app.example.com", False),
        ("//app.example.com", False),
        ("https:app.example.com", False),
        ("https:/app.example.com", False),
        ("https:///docs", False),
        ("https://", False),
        ("https://:443", False),
        ("https://ada@app.example.com", False),
        ("https://ada:secret@app.example.com", False),
        (f"{APP}?a=1", False),
        (f"{APP}#a", False),
        (f"{APP}/ ", False),
        (f"{APP}\n", False),
        (f"{APP}\\docs", False),
        ("https://[", False),
        ("https://[2001:db8::1", False),
        ("javascript:alert(1)", False),
        ("mailto:ada@example.com", False),
        ("*", False),
        ("\ud800", False),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_absolute_addresses(text: str, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    """An entry of the list has a scheme and a host, and no user, query or fragment."""
    assert fits == is_absolute_address(text)


@given(targets)
def test_any_text_is_an_address_or_not(text: str) -> None:
    """Any text gets an answer, so that a wrong configuration is told in its own words."""
    assert isinstance(is_absolute_address(text), bool)
