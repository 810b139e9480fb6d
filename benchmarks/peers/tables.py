"""The tables of the peers, in the database of the run, with as many rows as pgauthkit's."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.databases import connected, environment, settle
from benchmarks.entrants import CONTENDERS, NODE_READY, PEERS_NODE

__all__ = ["prepare"]

HERE: Final = Path(__file__).parent

# Who makes tables itself: the contender, and what fills them.
_OWN: Final = {"better-auth": "better_auth.sql", "fastapi-users": "fastapi_users.sql", "Django": "django.sql"}


def prepare(url: str, sessions: int) -> None:
    """Make and fill the tables of every peer that is installed; one that cannot is said so, and fails later."""
    if NODE_READY.exists():
        for program in (HERE / "node").glob("*.mjs"):
            shutil.copy(program, PEERS_NODE)  # as they are now
    _fill(url, "schema.sql")
    variables = environment(url, sessions)
    for name, script in _OWN.items():
        command = CONTENDERS[name].command(None)
        if command:
            try:
                _own(url, name, [*command], script, variables)
            except (subprocess.CalledProcessError, psycopg.Error) as error:
                sys.stderr.write(f"{name} has no tables: {type(error).__name__}\n")
    settle(url)


def _own(url: str, name: str, command: list[str], script: str, variables: dict[str, str]) -> None:
    subprocess.run([*command, "--work=migrate"], check=True, env=variables)  # noqa: S603 - our own programs
    _fill(url, script)
    if name == "Django":
        subprocess.run([*command, "--work=fill"], check=True, env=variables)  # noqa: S603 - the same


def _fill(url: str, script: str) -> None:
    with connected(url) as connection:
        connection.execute((HERE / script).read_bytes())
