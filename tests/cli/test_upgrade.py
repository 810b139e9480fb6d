"""`pgauthkit upgrade`, as a person and as a program use it."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from click.testing import CliRunner

from pgauthkit.cli.upgrade import upgrade
from pgauthkit.database.embedded import EmbeddedPostgres

LOGICAL = {"wal_level": "logical", "max_wal_senders": "10", "wal_retrieve_retry_interval": "50ms"}


@pytest.fixture
def servers() -> Iterator[list[str]]:
    """The options that name a server of each version, the first with a table in it."""
    with EmbeddedPostgres(settings=LOGICAL) as old, EmbeddedPostgres(major=18, settings=LOGICAL) as new:
        with psycopg.connect(old.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE notes (id int PRIMARY KEY, body text)")
            connection.execute("INSERT INTO notes VALUES (1, 'one')")
        yield ["--url", old.url(), "--to", new.url()]


def run(*arguments: str, answer: str | None = None) -> tuple[int, str]:
    """Run a command; return its exit code, and what it printed for a program or a person to go on with."""
    result = CliRunner().invoke(upgrade, list(arguments), input=answer)
    return result.exit_code, result.stdout


def test_plan_check_and_switch(servers: list[str]) -> None:
    """Each says what is next; a switch that is not confirmed is none; rows that differ are an exit code."""
    assert run("plan", *servers) == (
        0,
        """16 to 18: 1 tables, 0 MiB.
note      Deploy no migration until the switch: changes of the schema are not replicated.
Next: pgauthkit upgrade check
""",
    )
    assert run("check", *servers) == (
        0,
        "           1 rows         equal  public.notes\nNext: pgauthkit upgrade switch\n",
    )
    with psycopg.connect(servers[3], autocommit=True) as connection:
        connection.execute("UPDATE notes SET body = 'two'")
    assert run("check", *servers) == (
        1,
        "           1 rows   1 DIFFERENT  public.notes\nLook at these rows on both servers.\n",
    )
    assert run("switch", *servers, answer="n\n")[0] == 1
    code, said = run("switch", *servers, answer="y\n")
    assert (code, "0 sequences set, 0 rows of UNLOGGED tables copied" in said) == (0, True)
    assert run("cancel", *servers) == (0, "There was no upgrade under way.\n")


def test_for_programs(servers: list[str]) -> None:
    """The same as JSON; what is against it is an exit code."""
    wrong = ["--url", servers[3], "--to", servers[1]]
    code, found = run("plan", *wrong, "--json")
    assert (code, len(json.loads(found)["obstacles"])) == (1, 3)
    assert "obstacle  The new server is 16, and the old one 18: it must be newer." in run("plan", *wrong)[1]
    code, found = run("check", *servers, "--json")
    assert json.loads(found) == {"tables": [{"name": "public.notes", "rows": 1, "different": 0}]}
    code, found = run("switch", *servers, "--compare", "--yes", "--json")
    assert json.loads(found)["rows"] == 1
    assert run("cancel", *servers, "--json") == (0, '{"cancelled": false}\n')


def test_giving_up(servers: list[str]) -> None:
    """What was begun is cancelled, and it is said what stays."""
    run("check", *servers)
    assert run("cancel", *servers) == (0, "Cancelled; drop the new database before another try.\n")
