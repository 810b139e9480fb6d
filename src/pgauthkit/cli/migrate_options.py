"""What the commands of `pgauthkit migrate` share: options, the application's track, and how they print."""

import json
import os
import sys
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from pgauthkit.cli.settings import project_directory, read_settings, resolve_url
from pgauthkit.ops.tracks import Track, host_track

__all__ = ["JSON", "LOCK_TIMEOUT", "URL", "YES", "database", "host", "needs_consent", "print_json", "say"]

URL: Final = click.option(
    "--url",
    metavar="URL",
    help="The database, postgresql://…, without a password: the command line is for all to see."
    "  [default: DIRECT_URL, DATABASE_URL, or pyproject.toml]",
)
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
YES: Final = click.option("--yes", is_flag=True, help="Do not ask.")
LOCK_TIMEOUT: Final = click.option(
    "--lock-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, max=86400),
    default=60,
    show_default=True,
    help="How long to wait for another deployer.",
)


def database(url: str | None) -> str:
    """Return the URL to migrate by, and say so where DIRECT_URL goes before another."""
    if not url and os.environ.get("DIRECT_URL") and os.environ.get("DATABASE_URL"):
        click.echo("Using DIRECT_URL: migrations go past a pooler.", err=True)
    return resolve_url(url, direct=True)


def host() -> Track | None:
    """Return the track of the application in the working directory, whose modules can then be imported."""
    project = project_directory()
    for place in (project / "src", project):
        if place.is_dir() and str(place) not in sys.path:
            sys.path.insert(0, str(place))
    return host_track(project, read_settings().migrations)


def needs_consent(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed; where nobody can answer, refuse.

    Raises:
        click.UsageError: nobody can answer, and `--yes` was not given.
        click.Abort: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("This destroys data, and nobody is there to be asked: give --yes.")
    click.confirm(question, abort=True)


def print_json(values: object) -> None:
    """Print for a program."""
    click.echo(json.dumps(values, default=str))


def say(text: str) -> None:
    """Print for a person, with rich's markup."""
    Console(highlight=False, soft_wrap=True).print(text)


def shown(path: Path) -> str:
    """Return a path as it is seen from the working directory."""
    return os.path.relpath(path)
