"""A primary and its replica, and a service of each kind that may ask either."""

import asyncio
import contextlib
import math
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import attrs
import psycopg
import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only
from tests.integration.conftest import CHEAP_ARGON2, PATIENCE, AsyncHost, Database, Host, SyncHost, Waiting

from pgauthkit import AsyncAuthService, AuthConfig, AuthService, ReplicaReads
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.database.replication import catch_up
from pgauthkit.service.memory.kept import Kept
from pgauthkit.service.replicas.replica import Replica as Known
from pgauthkit.testing import Replica, TestServer
from pgauthkit.values import Identity, SignIn

BOUND: Final = timedelta(seconds=50)  # longer than any test takes


@attrs.frozen(kw_only=True)
class Pair:
    """Services on one primary and its replica, and what they know of it."""

    host: Host
    primary: Engine
    replica: Engine
    standby: Replica
    config: AuthConfig
    made: list[Known] = attrs.field(factory=list)

    def service(
        self, *, reads: Engine | None = None, bound: timedelta = BOUND, engine: Engine | None = None, **changes: object
    ) -> AuthService:
        """Return a service that may ask the replica."""
        engine, asked = engine or self.primary, reads or self.replica
        config = attrs.evolve(self.config, **changes)  # type: ignore[arg-type]
        if isinstance(self.host, AsyncHost):
            awaited = AsyncAuthService(AsyncEngine(engine), config, replica=ReplicaReads(AsyncEngine(asked), bound))
            auth = cast("AuthService", Waiting(self.host, awaited))
        else:
            auth = AuthService(engine, config, replica=ReplicaReads(asked, bound))
        self.made.append(self.known(auth))
        return auth

    @staticmethod
    def known(auth: AuthService) -> Known:
        """Return what a service knows of the replica."""
        known = inner(auth)._replica
        assert known
        return known

    @staticmethod
    def kept(auth: AuthService) -> Kept:
        """Return what a service keeps in memory."""
        kept = inner(auth)._kept
        assert kept
        return kept

    def at_once(self, auth: AuthService, tokens: list[str]) -> list[Identity]:
        """Authenticate with these in one turn of the event loop, where there is one."""
        twin: Any = auth
        if not self.host.is_sync:
            ask: Callable[[str], Coroutine[Any, Any, Identity]] = twin._service.authenticate

            async def gathered() -> list[Identity]:
                return await asyncio.gather(*map(ask, tokens))

            return self.host.call(lambda: await_only(gathered()))
        return [auth.authenticate(token) for token in tokens]

    def look(self, auth: AuthService) -> None:
        """Ask the primary how far it is, and the replica, which is as far by then; from now on only the test does."""
        known = self.known(auth)
        known._look_at_primary._begun = known._look_at_replica._begun = math.inf
        self.settle()
        self.look_at_primary(auth)
        self.standby.catch_up(timeout=PATIENCE)
        self.look_at_replica(auth)

    def look_at_primary(self, auth: AuthService) -> None:
        """Ask the primary how far it is."""
        self.host.call(self.known(auth)._look_at_primary._try)

    def look_at_replica(self, auth: AuthService) -> None:
        """Ask the replica how far it is."""
        self.host.call(self.known(auth)._look_at_replica._try)

    def wait_for(self, found: Callable[[], object]) -> None:
        """Wait until something has been done beside the calls."""
        end = time.monotonic() + PATIENCE
        while not found():
            assert time.monotonic() < end
            self.host.call(self.pause)

    def settle(self) -> None:
        """Wait until nothing is done beside the calls."""
        errands = [
            errand
            for known in self.made
            for errand in (known._look_at_primary, known._look_at_replica, known._send_uses)
        ]
        self.wait_for(lambda: not any(errand._is_running for errand in errands))

    def dispose(self, engine: Engine) -> None:
        """Have an engine connect anew, when none of its connections is in use."""
        self.settle()
        self.host.call(engine.dispose)

    def pause(self) -> None:
        """Let others go on: threads, or tasks of the event loop."""
        if self.host.is_sync:
            time.sleep(0.005)
        else:
            await_only(asyncio.sleep(0.005))


def inner(auth: AuthService) -> AuthService:
    """Return the synchronous service behind either twin."""
    twin: Any = auth
    return cast("AuthService", twin._service._service) if type(twin) is Waiting else auth


class Way:
    """A way to a server by a directory of its own, which may be closed, or lead to one that never answers."""

    def __init__(self, url: str, folder: Path, name: str) -> None:
        self._there = make_url(url)
        self._here = folder / name
        self._name = name
        self._listening: socket.socket | None = None
        self.open()

    @property
    def url(self) -> str:
        """The same database, by this way."""
        ours = {"host": str(self._here), "application_name": self._name}
        return self._there.update_query_dict(ours).render_as_string(hide_password=False)

    def open(self) -> None:
        """Let everybody in."""
        self._here.symlink_to(str(self._there.query["host"]))

    def close(self) -> None:
        """End who is there, and let nobody in."""
        self._here.unlink()
        ended = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = %s"
        with psycopg.connect(self._there.render_as_string(hide_password=False)) as connection:
            connection.execute(ended, [self._name])

    def freeze(self) -> None:
        """Do the same, but let all in to where nobody says a word."""
        self.close()
        self._here.mkdir()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self._here / f".s.PGSQL.{self._there.query['port']}"))
        self._listening.listen(100)

    def thaw(self) -> None:
        """End that."""
        if self._listening:
            self._listening.close()
            shutil.rmtree(self._here)
            self._listening = None
            self.open()


@pytest.fixture(scope="session")
def replicated(pgauthkit_pair: EmbeddedPostgres) -> Iterator[tuple[Database, str]]:
    """A migrated database, and the URL of its copy."""
    with TestServer(pgauthkit_pair.url(), backend="url") as server, server.database() as url:
        catch_up(url, pgauthkit_pair.replica.url(), timeout=PATIENCE)
        with contextlib.closing(Database(url)) as database:
            yield database, pgauthkit_pair.replica.url(str(make_url(url).database))


@pytest.fixture(scope="session", params=["sync", "async"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """The host of the sync service, then that of the async one."""
    host: Host = SyncHost() if request.param == "sync" else AsyncHost()
    yield host
    host.close()


@pytest.fixture
def database(replicated: tuple[Database, str]) -> Database:
    """The primary, without rows."""
    database, _ = replicated
    database.empty()
    return database


@pytest.fixture
def pair(
    host: Host, database: Database, replicated: tuple[Database, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pair]:
    """The primary and its replica, which replays at once until it is paused, and has its time to answer."""
    monkeypatch.setattr("pgauthkit.service.replicas.errand.WITHIN", PATIENCE)
    monkeypatch.setattr("pgauthkit.service.replicas.replica.PATIENCE", PATIENCE)
    url = replicated[1]
    replica = host.kept_engine(url)
    standby = Replica(engine=create_engine(url), url=url, primary=database.url)
    config = AuthConfig(argon2=CHEAP_ARGON2, refresh_grace=timedelta(0), rate_limits=None)
    pair = Pair(host=host, primary=host.kept_engine(database.url), replica=replica, standby=standby, config=config)
    yield pair
    standby.resume()
    pair.settle()
    pair.host.call(pair.pause)  # a task that has ended still has to be heard of
    host.tidy()


@pytest.fixture
def ways(database: Database, replicated: tuple[Database, str]) -> Iterator[tuple[Way, Way]]:
    """Ways to the primary and to the replica that may be closed."""
    with tempfile.TemporaryDirectory(prefix="pgak-") as folder:
        ways = Way(database.url, Path(folder), "primary"), Way(replicated[1], Path(folder), "replica")
        yield ways
        for way in ways:
            way.thaw()


@pytest.fixture
def auth(pair: Pair) -> AuthService:
    """A service that may ask the replica."""
    return pair.service()


@pytest.fixture
def sign_in(auth: AuthService) -> Callable[..., SignIn]:
    """Signs somebody in by a link."""

    def sign_in(email: str = "ada@example.com", *, by: AuthService | None = None) -> SignIn:
        service = by or auth
        return service.verify_magic_link(service.request_magic_link(email).token.reveal())

    return sign_in
