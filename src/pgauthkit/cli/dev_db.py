"""`pgauthkit dev-db`: a local PostgreSQL server that stays, for development."""

import json
from pathlib import Path

import attrs
import click
from rich.console import Console
from rich.table import Table

from pgauthkit.cli.settings import project_directory
from pgauthkit.database.dev_server import DevServer, DevServerStatus

__all__ = ["ACCOUNT", "BINARIES", "dev_db", "usual_directory"]

DIRECTORY = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the server is kept.  [default: .pgauthkit/dev-db in the project]",
)
MAJOR = click.option(
    "--major",
    type=click.IntRange(min=14),
    help="PostgreSQL's major version; tested are 16 and 18.  [default: that of the data, or 16]",
)
BINARIES = click.option(
    "--binaries",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="PGAUTHKIT_PG_BIN",
    show_envvar=True,
    help="The directory with PostgreSQL's programs.  [default: found]",
)
ACCOUNT = click.option(
    "--account",
    metavar="NAME",
    envvar="PGAUTHKIT_PG_USER",
    show_envvar=True,
    help="For root only, as which PostgreSQL does not run: the system account that runs the server and owns its data."
    "  [default: postgres, or else nobody]",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def usual_directory() -> Path:
    """Return where the development server of the project is, the nearest folder upwards with a pyproject.toml."""
    return project_directory() / ".pgauthkit" / "dev-db"


@click.group(name="dev-db", epilog='Example: pgauthkit dev-db start && export DATABASE_URL="$(pgauthkit dev-db url)"')
def dev_db() -> None:
    """A local PostgreSQL server that stays, for development.

    It needs no installation and no settings, listens on this machine only, and keeps its data, port and password until
    it is reset.
    """


@dev_db.command(epilog="Example: pgauthkit dev-db start --port 5433")
@DIRECTORY
@MAJOR
@click.option("--port", type=click.IntRange(1, 65535), help="Its port, from now on.  [default: that of the last start]")
@BINARIES
@ACCOUNT
@JSON
def start(
    *,
    directory: Path | None,
    major: int | None,
    port: int | None,
    binaries: Path | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Start the server, with an empty database the first time."""
    server = DevServer(directory or usual_directory(), major=major, binaries=binaries, account=account)
    status = server.start(port=port)
    if as_json:
        _print_json(status)
    else:
        click.echo(f"{'Started' if status.changed else 'Runs already'}: {_describe(status)}")
        click.echo("Its URL, with the password: pgauthkit dev-db url")


@dev_db.command(epilog="Example: pgauthkit dev-db stop")
@DIRECTORY
@JSON
def stop(*, directory: Path | None, as_json: bool) -> None:
    """Stop the server; the data stay."""
    status = DevServer(directory or usual_directory()).stop()
    if as_json:
        _print_json(status)
    else:
        click.echo("Stopped; the data are kept." if status.changed else "It was not running.")


@dev_db.command(epilog="Example: pgauthkit dev-db status --json")
@DIRECTORY
@JSON
@click.pass_context
def status(context: click.Context, *, directory: Path | None, as_json: bool) -> None:
    """Say whether the server runs, and where.

    Exit code 1 when it does not.
    """
    found = DevServer(directory or usual_directory()).status()
    if as_json:
        _print_json(found)
    else:
        _print_table(found)
    context.exit(0 if found.running else 1)


@dev_db.command(epilog='Example: psql "$(pgauthkit dev-db url)"')
@DIRECTORY
def url(directory: Path | None) -> None:
    """Print the database's URL, for DATABASE_URL.

    The password is in it. It is the same on every start.
    """
    click.echo(DevServer(directory or usual_directory()).url())


@dev_db.command(epilog="Example: pgauthkit dev-db reset --yes")
@DIRECTORY
@MAJOR
@BINARIES
@ACCOUNT
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def reset(
    *,
    directory: Path | None,
    major: int | None,
    binaries: Path | None,
    account: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete all the data, and start empty.

    The URL stays the same.
    """
    place = directory or usual_directory()
    if not yes:
        click.confirm(f"Delete all the data of the development server in {place}?", abort=True)
    status = DevServer(place, major=major, binaries=binaries, account=account).reset()
    if as_json:
        _print_json(status)
    else:
        click.echo(f"Started, empty: {_describe(status)}")


def _describe(status: DevServerStatus) -> str:
    return f"PostgreSQL {status.major} on 127.0.0.1:{status.port}, database {status.database}."


def _print_json(status: DevServerStatus) -> None:
    click.echo(json.dumps(attrs.asdict(status), default=str))


def _print_table(status: DevServerStatus) -> None:
    table = Table.grid(padding=(0, 2))
    for name, value in attrs.asdict(status).items():
        if value is not None and name != "changed":
            table.add_row(name, str(value))
    Console(highlight=False, soft_wrap=True).print(table)
