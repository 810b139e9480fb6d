"""`pgauthkit revoke --all`, as a person and as a program use it."""

import json

import pytest
from click.testing import CliRunner

from pgauthkit import AuthConfig, AuthService
from pgauthkit.cli.revoke import revoke
from pgauthkit.database import create_engine
from pgauthkit.errors import SessionRevokedError


def test_it_signs_everybody_out_and_says_so(pgauthkit_url: str) -> None:
    """Every session has ended; a second run finds none, and tells a program so."""
    engine = create_engine(pgauthkit_url)
    auth = AuthService(engine, AuthConfig())
    pairs = [auth.verify_magic_link(auth.request_magic_link(f"{name}@example.com").token.reveal()) for name in "ab"]

    first = CliRunner().invoke(revoke, ["--all", "--url", pgauthkit_url, "--batch-size", "1"])
    second = CliRunner().invoke(revoke, ["--all", "--url", pgauthkit_url, "--json"])

    assert first.stdout == "Ended 2 sessions, and every pending link.\n"
    assert json.loads(second.stdout) == {"sessions": 0}
    for pair in pairs:
        with pytest.raises(SessionRevokedError):
            auth.authenticate(pair.tokens.access_token.reveal())
    engine.dispose()


def test_only_everybody(pgauthkit_url: str) -> None:
    """Without `--all` it is wrong use, and nothing is done."""
    result = CliRunner().invoke(revoke, ["--url", pgauthkit_url])
    assert result.exit_code == 2
    assert "--all" in result.output
