"""Processes that are forked after an engine was used, as by gunicorn's --preload, Celery and multiprocessing."""

import subprocess
import sys

import pytest
from sqlalchemy import orm

from pgauthkit.database.connecting import watch_session
from pgauthkit.models import User

# Each prints whose connection it was: the child's must be its own, and the parent's must still be the one from before.
FORKED = """
import os, sys
import sqlalchemy
from sqlalchemy import orm, text
from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.repositories import UserRepository, transaction

def by_service(engine):
    AuthService(engine).find_user("ada@example.com")

def by_repository(engine):
    with orm.Session(engine) as db:
        UserRepository(db).count()

def by_transaction(engine):
    with transaction(engine) as db:
        db.execute(text("SELECT 1"))

def backend(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT pg_backend_pid()"))

make, use = {"ours": create_engine, "theirs": sqlalchemy.create_engine}[sys.argv[2]], globals()[f"by_{sys.argv[3]}"]
engine = make(sys.argv[1])
use(engine)
before = backend(engine)
if (child := os.fork()) == 0:
    use(engine)
    sys.exit(backend(engine) == before)
assert os.waitpid(child, 0) == (child, 0), "the child used its parent's connection"
use(engine)
assert backend(engine) == before, "the parent's connection is gone"
"""


@pytest.mark.parametrize("use", ["service", "repository", "transaction"])
@pytest.mark.parametrize("made", ["ours", "theirs"])
def test_a_child_has_connections_of_its_own(pgauthkit_url: str, made: str, use: str) -> None:
    """A child never touches its parent's connections, which stay good, whoever made the engine and whatever used it."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, pgauthkit_url, made, use]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_session_without_an_engine_is_left_alone() -> None:
    """A session that has no engine yet cannot have a connection either."""
    watch_session(orm.Session(), User)


# A child that is left with its parent's session, and one of a fork that Python knows nothing of.
LEFT = """
import ctypes, os, sys
from sqlalchemy import orm, text
from sqlalchemy.exc import OperationalError
from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.errors import PgAuthKitError

engine = create_engine(sys.argv[1])
told = []
auth = AuthService(engine, AuthConfig(observers=[told.append]))

def wait(child):
    assert os.waitpid(child, 0) == (child, 0), "the child failed"

user_id = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal()).user.user_id
told.clear()
with orm.Session(engine) as db:
    auth.within(db).open_session(user_id)
    if (child := os.fork()) == 0:
        try:
            auth.within(db).open_session(user_id)
        except PgAuthKitError as error:
            assert "forked" in str(error), error
        else:
            os._exit(1)
        os._exit(bool(told) or auth.find_user("ada@example.com").id != user_id)
    wait(child)
    assert db.scalar(text("SELECT count(*) FROM pgauthkit.sessions")) == 2, "the parent's transaction is gone"
    db.commit()
assert [event.kind for event in told] == ["signed_in"]
told.clear()
with engine.connect() as connection:
    auth.within(connection).open_session(user_id)
    if (child := os.fork()) == 0:
        try:
            connection.commit()
        except OperationalError:
            os._exit(bool(told))
        os._exit(1)
    wait(child)
    connection.commit()
assert [event.kind for event in told] == ["signed_in"]
before = [auth.find_user("ada@example.com"), engine.raw_connection().driver_connection.info.backend_pid][1]
if (child := ctypes.CDLL(None).fork()) == 0:
    auth.find_user("ada@example.com")
    os._exit(engine.raw_connection().driver_connection.info.backend_pid == before)
wait(child)
auth.find_user("ada@example.com")
assert engine.raw_connection().driver_connection.info.backend_pid == before
"""


def test_a_child_that_is_left_with_a_session(pgauthkit_url: str) -> None:
    """Whatever a child does with its parent's session fails in the child, and the parent's transaction goes on."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", LEFT, pgauthkit_url]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
