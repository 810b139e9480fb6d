"""The tables of the peers, in the database of the run, with as many rows as pgauthkit's."""

import subprocess
from pathlib import Path
from typing import Final

from benchmarks.databases import connected, environment, settle
from benchmarks.plan import CONTENDERS

__all__ = ["prepare"]

HERE: Final = Path(__file__).parent

# Who makes tables itself: the contender, and what fills them.
_OWN: Final = {"better-auth": "better_auth.sql", "fastapi-users": "fastapi_users.sql", "Django": "django.sql"}


def prepare(url: str, sessions: int) -> None:
    """Make and fill the tables of every peer that is installed."""
    _fill(url, "schema.sql")
    variables = environment(url, sessions)
    for name, script in _OWN.items():
        command = CONTENDERS[name].command()
        if command:
            subprocess.run([*command, "--work=migrate"], check=True, env=variables)  # noqa: S603 - our own programs
            _fill(url, script)
            if name == "Django":
                subprocess.run([*command, "--work=fill"], check=True, env=variables)  # noqa: S603 - the same
    settle(url)


def _fill(url: str, script: str) -> None:
    with connected(url) as connection:
        connection.execute((HERE / script).read_bytes())
