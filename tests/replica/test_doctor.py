"""The doctor on a replica: how far behind it is, and whether it is one of this primary."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from click.testing import CliRunner

from pgauthkit.cli import main
from pgauthkit.database.replication import PAUSE_REPLAY
from pgauthkit.ops.doctor import Finding, SetUp, examine
from pgauthkit.ops.doctor.replica import judge_replica
from pgauthkit.testing import TestServer

if TYPE_CHECKING:
    from tests.integration.conftest import Database

BOUND: Final = timedelta(seconds=1)

# Servers for tests commit before the log is flushed, and a replica is not behind for what is not flushed.
WRITTEN_AND_FLUSHED = """DO $$ BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);
    CREATE TABLE more (id int);
END $$"""


def found(url: str, replica: str) -> Finding:
    """Return the last that is said of a replica, by its kind and level."""
    report = examine(SetUp(url=url, replica_url=replica, max_staleness=BOUND / 10))
    return next(
        one for one in report.findings if one.check == "replica" or (one.check, one.level) == ("server", "wrong")
    )


@pytest.fixture
def paused(replicated: tuple["Database", str]) -> Iterator[None]:
    """The replica replays nothing."""
    with psycopg.connect(replicated[1], autocommit=True) as connection:
        connection.execute(PAUSE_REPLAY)
        yield
        connection.execute("SELECT pg_wal_replay_resume()")


def test_a_replica_that_follows(replicated: tuple["Database", str], database: "Database") -> None:
    """A replica that follows its primary is measured, by the command too."""
    finding = found(database.url, replicated[1])
    assert finding.message.startswith("The replica was behind")
    options = ["--url", database.url, "--replica", replicated[1], "--max-staleness", "0.1", "--json"]
    said = json.loads(CliRunner().invoke(main, ["doctor", *options]).stdout)
    assert [one["message"][:22] for one in said["findings"] if one["check"] == "replica"] == ["The replica was behind"]


@pytest.mark.usefixtures("paused")
def test_a_replica_that_is_paused(replicated: tuple["Database", str], database: "Database") -> None:
    """One that replays nothing could answer nothing, once anything has been written."""
    database.tell(WRITTEN_AND_FLUSHED)
    finding = found(database.url, replicated[1])
    assert (finding.level, "0% of the reads" in finding.message) == ("warning", True)
    assert "for longer than it was looked at" in finding.message
    database.tell("DROP TABLE more")


def test_no_replica(database: "Database") -> None:
    """The primary itself is none."""
    finding = found(database.url, database.url)
    assert (finding.level, finding.message[:31]) == ("wrong", "The replica takes writes: it is")


def test_of_another_primary(replicated: tuple["Database", str], pgauthkit_server: TestServer) -> None:
    """A replica of another cluster is none of this one."""
    with pgauthkit_server.database() as url:
        finding = found(url, replicated[1])
    assert (finding.level, finding.message) == ("wrong", "The replica is of another cluster than the primary.")


def test_nobody_answers(database: "Database") -> None:
    """A replica that cannot be reached is reported like a server that cannot."""
    finding = found(database.url, "postgresql://app@127.0.0.1:1/app")
    assert finding.message == "Cannot reach postgresql://app@127.0.0.1:1/app."


@pytest.mark.parametrize(("share", "level"), [(1.0, "ok"), (0.9, "ok"), (0.89, "warning"), (0.0, "warning")])
def test_share(share: float, level: str) -> None:
    """A replica that could answer less than nine tenths is worth a warning."""
    finding = judge_replica(share, timedelta(milliseconds=40), BOUND)
    assert (finding.level, "behind 40 ms, and could answer" in finding.message) == (level, True)
