"""Where the demo runs: on a server that ends with it, on one that stays, or on one given by URL."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from pgauthkit.cli.demo.narrator import Narrator
from pgauthkit.cli.dev_db import usual_directory
from pgauthkit.database.dev_server import DevServer
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import PgAuthKitError
from pgauthkit.models import SCHEMA
from pgauthkit.ops.demo import EMAIL, Demo, look_at

__all__ = ["foreign_server", "lasting_server", "passing_server"]


@contextmanager
def passing_server(narrator: Narrator, *, binaries: Path | None, account: str | None) -> Generator[str]:
    """Start a server, give its URL, and stop it."""
    server = EmbeddedPostgres(binaries=binaries, account=account)
    narrator.run("Start PostgreSQL", server.start)
    try:
        version = look_at(server.url()).version
        narrator.say(f"PostgreSQL {version}. It needed no installation, no Docker and no root.")
        yield server.url()
        narrator.run("Stop PostgreSQL", server.stop)
        narrator.say("Its data are gone with it; with --keep both stay.")
    finally:
        server.stop()


@contextmanager
def lasting_server(narrator: Narrator, *, binaries: Path | None, account: str | None) -> Generator[str]:
    """Start the development server of the project, unless it runs, give its URL, and leave it running."""
    server = DevServer(usual_directory(), binaries=binaries, account=account)
    status = narrator.run("Start PostgreSQL", server.start)
    narrator.say(f"PostgreSQL {look_at(server.url()).version} on 127.0.0.1:{status.port}, which stays after the demo.")
    try:
        yield server.url()
    finally:
        narrator.section("Kept: the server, and in it all that you have seen")
        narrator.tell("connect", 'psql "$(pgauthkit dev-db url)"')
        narrator.tell("stop", "pgauthkit dev-db stop")
        narrator.tell("start again", "pgauthkit dev-db start")
        narrator.tell("delete the data", "pgauthkit dev-db reset")
        narrator.tell("its directory", str(status.directory))


@contextmanager
def foreign_server(narrator: Narrator, url: str) -> Generator[str]:
    """Connect to the server given by URL, return the URL, and remove the demo's rows in the end."""
    found = narrator.run("Connect to PostgreSQL", look_at, url)
    narrator.say(
        f"PostgreSQL {found.version}, database {found.database}. The schema {SCHEMA} and its tables are made there,"
        f" where missing, and stay. The rows of {EMAIL} are removed in the end."
    )
    with Demo(url) as demo:
        try:
            yield url
        except BaseException:
            with suppress(PgAuthKitError):  # the error that came first says more
                demo.remove_rows()
            raise
        narrator.run("Clean up", demo.remove_rows)
        narrator.say(f"The rows of {EMAIL} are removed. The tables of {SCHEMA} stay.")
