"""The notes on a migrated database of their own for each test, with an outbox for a mailer."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from notes import create_app
from notes.cookies import ACCESS, REFRESH
from sqlalchemy import Engine

from pgauthkit import AuthService
from pgauthkit.testing import MakeSignIn, Outbox

BASE = "https://notes.example.com"


@pytest.fixture
def browser(
    pgauthkit_engine: Engine, pgauthkit_auth: AuthService, pgauthkit_outbox: Outbox
) -> Callable[[], FlaskClient]:
    """A factory of browsers, each with cookies of its own."""
    app = create_app(pgauthkit_engine, auth=pgauthkit_auth, mailer=pgauthkit_outbox, base_url=BASE)

    def another() -> FlaskClient:
        client = app.test_client()
        client.environ_base["wsgi.url_scheme"] = "https"
        return client

    return another


@pytest.fixture
def signed_in(browser: Callable[[], FlaskClient], pgauthkit_sign_in: MakeSignIn) -> Callable[[str], FlaskClient]:
    """Give a browser in which somebody is signed in, for tests that are about something else."""

    def of(email: str) -> FlaskClient:
        client, tokens = browser(), pgauthkit_sign_in(email).tokens
        client.set_cookie(ACCESS, tokens.access_token.reveal(), secure=True)
        client.set_cookie(REFRESH, tokens.refresh_token.reveal(), secure=True)
        return client

    return of
