"""Which browser asked, in words of our own: `Firefox on Windows`."""

from functools import cache, partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from ua_parser import Result

__all__ = ["browser_of"]

# The words that may be shown, by the names that ua-parser has. Some of its families are cut out of the browser's own
# text: what calls itself `Type47/1 CFNetwork/1` is of the family `Type47`.
BROWSERS: Final = {
    "Chrome": "Chrome",
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "Chromium": "Chromium",
    "DuckDuckGo Mobile": "DuckDuckGo",
    "Edge": "Edge",
    "Edge Mobile": "Edge",
    "Firefox": "Firefox",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Opera": "Opera",
    "Opera Mobile": "Opera",
    "Opera Touch": "Opera",
    "Safari": "Safari",
    "Samsung Internet": "Samsung Internet",
    "Vivaldi": "Vivaldi",
    "Yandex Browser": "Yandex Browser",
}
SYSTEMS: Final = {
    "Android": "Android",
    "Chrome OS": "ChromeOS",
    "Fedora": "Linux",
    "Linux": "Linux",
    "Mac OS X": "macOS",
    "Ubuntu": "Linux",
    "Windows": "Windows",
    "iOS": "iOS",
}
# Where ua-parser is not installed: the first mark that is found. Chrome's comes after those of the browsers that call
# themselves Chrome as well, and Safari's last.
BROWSER_MARKS: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Vivaldi/": "Vivaldi",
    "YaBrowser/": "Yandex Browser",
    "DuckDuckGo/": "DuckDuckGo",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEM_MARKS: Final = {
    "iPhone": "iOS",
    "iPad": "iOS",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows NT": "Windows",
    "Macintosh": "macOS",
    "Linux": "Linux",
}


def browser_of(user_agent: str | None) -> str | None:
    """Return browser and system in words of a fixed list, or None where neither is known.

    The text itself is the asker's, who could have it read `type 47`; nothing of it comes back. With the extra
    `browsers` it is read by ua-parser, and without by the marks that the usual browsers have.

    Example:
        >>> browser_of("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0")
        'Firefox on Windows'
    """
    if not user_agent:
        return None
    browser, system = _reader()(user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"Unknown browser on {system}" if system else None)


@cache
def _reader() -> "Callable[[str], tuple[str | None, str | None]]":
    try:
        from ua_parser import parse  # noqa: PLC0415 - optional, and its rules take a tenth of a second
    except ImportError:
        return _by_marks
    return partial(_by_rules, parse)


def _by_rules(parse: "Callable[[str], Result]", text: str) -> tuple[str | None, str | None]:
    found = parse(text)
    browser, system = found.user_agent, found.os
    return BROWSERS.get(browser.family if browser else ""), SYSTEMS.get(system.family if system else "")


def _by_marks(text: str) -> tuple[str | None, str | None]:
    browser = next((name for mark, name in BROWSER_MARKS.items() if mark in text), None)
    return browser, next((name for mark, name in SYSTEM_MARKS.items() if mark in text), None)
