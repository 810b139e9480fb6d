"""Which browser asked, in words of a fixed list, with ua-parser and without."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from pgauthkit import browser
from pgauthkit.browser import BROWSERS, SYSTEMS, browser_of

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15"
TABLET = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
WORDS = {f"{one} on {other}" for one in [*BROWSERS.values(), "Unknown browser"] for other in SYSTEMS.values()}


@pytest.fixture(params=["rules", "marks"])
def _reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "marks":
        monkeypatch.setitem(sys.modules, "ua_parser", None)
    browser._reader.cache_clear()
    yield
    browser._reader.cache_clear()


@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
        (f"{MAC}537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on macOS"),
        (f"{MAC}605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15", "Safari on macOS"),
        (f"{PHONE} (KHTML, like Gecko) CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1", "Chrome on iOS"),
        (f"{TABLET} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Unknown browser on Windows"),
        ("Firefox/143.0", "Firefox"),
        ("type 47", None),
        ("Type47/3 CFNetwork/11", None),
        ("", None),
        (None, None),
    ],
)
def test_browsers(text: str | None, expected: str | None) -> None:
    """The usual browsers and systems are named, and nothing of a text that is none of them."""
    assert expected == browser_of(text)


@pytest.mark.usefixtures("_reader")
def test_words_of_ours() -> None:
    """Whatever the text, what comes back is out of the list."""

    @given(st.text() | st.from_regex(r"Mozilla/5\.0 \((Windows NT 10|X11; Linux|iPhone)[^)]*\) [A-Za-z0-9 ]+/4[0-9]"))
    def claim(text: str) -> None:
        assert browser_of(text) in {None, *BROWSERS.values(), *WORDS}

    claim()
