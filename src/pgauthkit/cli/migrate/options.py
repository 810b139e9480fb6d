"""What the commands of `pgauthkit migrate` share: options, the application's track, and how they print."""

import json
import os
import sys
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from pgauthkit.cli.printable import printable
from pgauthkit.cli.settings import SERVER_URL, project_directory, read_settings, resolve_url
from pgauthkit.ops.migrate.scaffold import scaffold
from pgauthkit.ops.project.mapped import require_base
from pgauthkit.ops.project.settings import make_importable
from pgauthkit.ops.revisions.host import find_host
from pgauthkit.ops.revisions.tracks import Track

__all__ = [
    "BACKUP_DIR",
    "JSON",
    "LOCK_TIMEOUT",
    "NO_SEED",
    "URL",
    "YES",
    "database",
    "host",
    "host_to_write",
    "is_production",
    "made_folder",
    "needs_consent",
    "print_json",
    "say",
    "shown",
]

URL: Final = SERVER_URL
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
NO_SEED: Final = click.option("--no-seed", is_flag=True, help="Do not run the seed of pyproject.toml.")
YES: Final = click.option("--yes", is_flag=True, help="Do not ask.")
BACKUP_DIR: Final = click.option(
    "--backup-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("backups"),
    show_default=True,
    help="Where the backup goes.",
)
LOCK_TIMEOUT: Final = click.option(
    "--lock-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, max=86400),
    default=60,
    show_default=True,
    help="How long to wait for another deployer to finish.",
)


def database(url: str | None) -> str:
    """Return the URL to migrate by, and say so where DIRECT_URL goes before another."""
    if not url and os.environ.get("DIRECT_URL") and os.environ.get("DATABASE_URL"):
        click.echo("Using DIRECT_URL: migrations go past a pooler.", err=True)
    return resolve_url(url, direct=True)


def host() -> Track | None:
    """Return the track of the application in the working directory, whose modules can then be imported."""
    project, migrations = project_directory(), read_settings().migrations
    if migrations is not None and not (project / migrations).exists():
        click.echo(
            f"There is no folder {migrations} yet (`pgauthkit migrate init` makes it): only ours count.", err=True
        )
    return find_host(Path.cwd())


def host_to_write() -> Track | None:
    """Return the track of the application; its folder is made first where the settings name one that is not there."""
    project, settings = project_directory(), read_settings()
    if settings.models and settings.migrations and not (project / settings.migrations / "env.py").exists():
        written = made_folder(settings.models, settings.migrations)
        click.echo(f"Made {settings.migrations}: {', '.join(map(shown, written))}.", err=True)
    return host()


def made_folder(models: str, migrations: str) -> tuple[Path, ...]:
    """Make the folder of the application's migrations, and return what was written.

    Raises:
        ConfigError: the models cannot be imported, which is reported before anything is written; or see `scaffold`.
    """
    project = project_directory()
    make_importable(project)
    is_metadata = not hasattr(require_base(models), "metadata")
    return scaffold(project, models=models, migrations=migrations, is_metadata=is_metadata)


def is_production() -> bool:
    """Tell whether the environment says that this is production."""
    return os.environ.get("PGAUTHKIT_ENV") == "production"


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
    Console(highlight=False, soft_wrap=True).print(printable(text))


def shown(path: Path) -> str:
    """Return a path as it is seen from the working directory."""
    return os.path.relpath(path)
