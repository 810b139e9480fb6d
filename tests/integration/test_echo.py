"""SQLAlchemy's `echo`, and its logger: statements that go past its execution are logged like its own."""

import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from pgauthkit import AuthConfig
from pgauthkit.repositories import UserRepository

if TYPE_CHECKING:
    from tests.integration.conftest import Database, Host

ADA = "ada@example.com"
HIDDEN = "[by pgauthkit] [SQL parameters hidden]"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give SQLAlchemy's logger a handler, or the first `echo` adds one that prints, for good."""
    monkeypatch.setattr(logging.getLogger("sqlalchemy"), "handlers", [logging.NullHandler()])


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged since the last time."""
    found = [record.getMessage() for record in caplog.records if record.name == "sqlalchemy.engine.Engine"]
    caplog.clear()
    return found


@pytest.mark.parametrize("hide", [False, True])
def test_a_repository(host: "Host", database: "Database", caplog: pytest.LogCaptureFixture, *, hide: bool) -> None:
    """A call of a repository shows its statement and its values, as SQLAlchemy does; `hide_parameters` hides these."""
    engine = host.engine(database.url, echo=True, hide_parameters=hide)

    assert host.call(lambda: UserRepository(engine).find_by_email(ADA)) is None

    *_, statement, values = said(caplog)
    assert statement.startswith("SELECT pgauthkit.users.id")
    assert values == (HIDDEN if hide else f"[by pgauthkit] ('{ADA}',)")


def test_the_service(
    host: "Host", database: "Database", pgauthkit_config: AuthConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """A call of the service shows its statement, and neither a hash nor an address, once for each call."""
    auth = host.service(database.url, pgauthkit_config, echo=True)
    link = auth.request_magic_link(ADA)
    signed_in = auth.verify_magic_link(link.token.reveal())
    for _ in range(2):
        caplog.clear()
        auth.authenticate(signed_in.tokens.access_token.reveal())
        statement, values = said(caplog)
        assert "pgauthkit.sessions" in statement
        assert values == HIDDEN


def test_the_logger(host: "Host", database: "Database", caplog: pytest.LogCaptureFixture) -> None:
    """The level of SQLAlchemy's logger does as `echo` does, from the next call on; and without, nothing is logged."""
    engine = host.engine(database.url, hide_parameters=False)

    def ask(engine: Engine) -> list[str]:
        host.call(lambda: UserRepository(engine).find_by_email(ADA))
        return said(caplog)

    assert ask(engine) == []
    with caplog.at_level(logging.INFO, logger="sqlalchemy.engine"):
        statement, values = ask(engine)
    assert (statement[:6], values) == ("SELECT", f"[by pgauthkit] ('{ADA}',)")
    assert ask(engine) == []
