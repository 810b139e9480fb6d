"""`pgauthkit purge`, as a person and as a program use it."""

import json
from datetime import timedelta
from typing import Final

import pytest
from click.testing import CliRunner
from rich.console import Console

from pgauthkit import AuthConfig, AuthService
from pgauthkit.cli import purge as command
from pgauthkit.cli.purge import purge
from pgauthkit.database import create_engine
from pgauthkit.testing import Clock

LONG_AGO: Final = timedelta(days=40)


@pytest.fixture
def url(pgauthkit_url: str) -> str:
    """A database with two sessions, two links and their buckets of 40 days ago, and one session of now."""
    engine = create_engine(pgauthkit_url)
    clock = Clock()
    clock.move(-LONG_AGO)
    past, present = AuthService(engine, AuthConfig(clock=clock)), AuthService(engine)
    for auth, email in ((past, "ada@example.com"), (past, "grace@example.com"), (present, "ada@example.com")):
        auth.verify_magic_link(auth.request_magic_link(email).token.reveal())
    engine.dispose()
    return pgauthkit_url


def test_it_deletes_what_is_over_and_says_so(url: str) -> None:
    """What ended long ago is gone, what lives stays, and a second run finds nothing."""
    first, second = (CliRunner().invoke(purge, ["--url", url]) for _ in range(2))
    assert first.stdout == "Purged 2 links, 2 sessions, 1 rate limits.\n"
    assert second.stdout == "Purged 0 links, 0 sessions, 0 rate limits.\n"


def test_devices_are_counted_where_there_are_any(pgauthkit_url: str) -> None:
    """A browser that nobody has signed in on for a year is named beside the rest."""
    engine, clock = create_engine(pgauthkit_url), Clock()
    clock.move(-timedelta(days=400))
    auth = AuthService(engine, AuthConfig(clock=clock))
    auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())
    engine.dispose()
    result = CliRunner().invoke(purge, ["--url", pgauthkit_url])
    assert result.stdout == "Purged 1 links, 1 sessions, 1 rate limits, 1 devices.\n"


def test_it_keeps_what_it_is_told_to_keep(url: str) -> None:
    """Links and sessions that ended less than `--keep-days` ago stay."""
    result = CliRunner().invoke(purge, ["--url", url, "--keep-days", "60", "--json"])
    assert json.loads(result.stdout) | {"rate_limits": 0} == {
        "magic_links": 0,
        "sessions": 0,
        "rate_limits": 0,
        "devices": 0,
    }


def test_json_is_for_programs(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is one object; the URL may come from the environment."""
    monkeypatch.setenv("DATABASE_URL", url)
    result = CliRunner().invoke(purge, ["--json"])
    assert json.loads(result.stdout) == {"magic_links": 2, "sessions": 2, "rate_limits": 1, "devices": 0}
    assert not result.stderr


def test_a_log_gets_a_line_now_and_then(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no terminal, every so many batches are told in a line."""
    monkeypatch.setattr(command, "LINE_EVERY", 1)
    result = CliRunner().invoke(purge, ["--url", url, "--batch-size", "1"])
    assert "… 2 links, 1 sessions, 0 rate limits" in result.stderr.splitlines()


def test_a_terminal_gets_a_bar(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the counts move in one line, which is gone at the end."""
    monkeypatch.setattr(command, "Console", lambda **options: Console(force_terminal=True, **options))
    result = CliRunner().invoke(purge, ["--url", url])
    assert "Purging" in result.stderr
    assert result.stdout == "Purged 2 links, 2 sessions, 1 rate limits.\n"
