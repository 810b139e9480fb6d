"""Django: sessions in the database and `django.contrib.auth`; it has no magic links, and no relation to sessions."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import django
import psycopg
from django.conf import settings

from benchmarks.block import Order, order, serve, serve_batches
from benchmarks.peers.rows import BULK, DATABASE_URL, ask, endless, sample, token

_url = urlsplit(DATABASE_URL)
settings.configure(
    SECRET_KEY="a secret of the benchmark, known to everybody",  # noqa: S106
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": _url.hostname,
            "PORT": _url.port,
            "USER": unquote(_url.username or ""),
            "PASSWORD": unquote(_url.password or ""),
            "NAME": _url.path.lstrip("/"),
            "CONN_MAX_AGE": None,
        }
    },
)
django.setup()

from django.contrib import auth  # noqa: E402 - not before the settings
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest  # noqa: E402

__all__ = ["main"]

BACKEND = "django.contrib.auth.backends.ModelBackend"


def fill() -> None:
    """Write two signed sessions for each user, by COPY."""
    encode, user_hash = SessionStore().encode, User(password="!").get_session_auth_hash()  # noqa: S106
    until = datetime.now(UTC) + timedelta(days=30)
    users = ask("SELECT id FROM auth_user")
    command = "COPY django_session (session_key, session_data, expire_date) FROM STDIN"
    with psycopg.connect(DATABASE_URL, autocommit=True) as connection, connection.cursor().copy(command) as copy:
        for number, user in enumerate(itertools.chain(users, users)):
            data = {"_auth_user_id": str(user), "_auth_user_backend": BACKEND, "_auth_user_hash": user_hash}
            copy.write_row((f"{number:032}", encode(data), until))


def authenticate(key: str) -> None:
    """Load a session and its user."""
    request = HttpRequest()
    request.session = SessionStore(session_key=key)
    assert auth.get_user(request).is_authenticated


def find_unique(email: str) -> None:
    """Look a user up by the unique name, which is the address here: the column `email` has no index."""
    User.objects.get_by_natural_key(email)


def refresh(box: list[str]) -> None:
    """Give a session a new key."""
    session = SessionStore(session_key=box[0])
    session.cycle_key()
    box[0] = session.session_key


def create_many() -> None:
    """Serve blocks of many users in one call."""

    def prepare() -> list[User]:
        names = (f"bulk-{token()[:8]}-{n}@example.com" for n in range(BULK))
        return [User(username=name, email=name, password="!") for name in names]  # noqa: S106

    serve_batches(prepare, User.objects.bulk_create, lambda: ask("DELETE FROM auth_user WHERE username LIKE 'bulk-%'"))


def main(given: Order) -> None:
    """Do what was ordered."""
    if given.work == "migrate":
        call_command("migrate", verbosity=0)
        return None
    if given.work == "fill":
        return fill()
    if given.work == "create_many":
        return create_many()
    keys: dict[str, Any] = {
        "authenticate": lambda: sample("django_session", "session_key"),
        "find_unique": lambda: sample("auth_user", "email"),
        "refresh": lambda: [[key] for key in sample("django_session", "session_key", key="session_key", own=given)],
    }
    operation: Any = globals()[given.work]
    return serve(given.clients, endless(keys[given.work]()), lambda: operation)


if __name__ == "__main__":
    main(order())
