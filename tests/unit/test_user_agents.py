"""What a row keeps of a browser's text, and what comes back."""

from hashlib import sha256

import pytest
from hypothesis import given, strategies as st

from pgauthkit.client import clean_user_agent
from pgauthkit.testing.strategies import user_agents
from pgauthkit.user_agents import _PHRASES, packed, unpacked

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
BROWSERS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0.0.0 Safari/537.36": "~{142}",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0": "~{142}#142!",
    f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36": "~[141]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
    " Mobile/15E148 Safari/604.1": "~<18_6|18.6>",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
    " Safari/605.1.15": "~@18.6$",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0": "~&145*145.0",
    "curl/8.5.0": "curl/8.5.0",
    "Mozilla/5.0 (what {is} ~this\\?)": "~=what \\{is\\} ~this\\\\\\?)",
    "~{142}": "~~\\{142\\}",
    "": "",
}
PIECES = st.sampled_from([*_PHRASES, *_PHRASES.values(), "~", "\\", "142", "\n", "é"])


@pytest.mark.parametrize(("text", "kept"), BROWSERS.items())
def test_browsers(text: str, kept: str) -> None:
    """The browsers that most people have take a dozen characters, and whatever else there is comes back as well."""
    assert packed(text) == kept
    assert unpacked(kept) == text


@given(st.lists(PIECES).map("".join) | st.text() | user_agents())
def test_whatever_it_says(text: str) -> None:
    """Any text comes back, and one that may be stored is never longer for it than that and twice its marks."""
    kept = packed(text)
    assert kept is not None
    assert unpacked(kept) == text
    assert len(kept) <= len(text) or text.startswith("~")


@given(st.text().filter(lambda text: not text.startswith("~")))
def test_rows_of_before(text: str) -> None:
    """What the release before has written is read as it was meant."""
    assert unpacked(clean_user_agent(text)) == clean_user_agent(text)


def test_nothing() -> None:
    """Where there is no text, none comes of it."""
    assert packed(None) is None
    assert unpacked(None) is None


def test_the_phrases_stay() -> None:
    """No phrase is changed or taken away: there are rows that were written with it."""
    first = "\n".join(f"{character} {phrase}" for character, phrase in list(_PHRASES.items())[:19])
    assert sha256(first.encode()).hexdigest() == "396272c8d485c946bb990f1c07d5233a5744493f5a63bb111c744b0be131fce4"
