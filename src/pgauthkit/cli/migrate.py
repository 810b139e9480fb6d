"""`pgauthkit migrate`: bring a database to what this release needs, and see where it stands."""

import json
from datetime import timedelta

import click
from rich.console import Console
from rich.markup import escape

from pgauthkit.cli.settings import resolve_url
from pgauthkit.ops import migrate as ops

__all__ = ["migrate"]

URL = click.option(
    "--url",
    metavar="URL",
    help="The database, postgresql://…, without a password: the command line is for all to see."
    "  [default: DIRECT_URL, DATABASE_URL, or pyproject.toml]",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group(epilog="Example: pgauthkit migrate status || pgauthkit migrate deploy")
def migrate() -> None:
    """Bring a database to what this release needs.

    The connection must lead to the server itself: behind a pooler in transaction mode the lock that keeps two deployers
    apart is void. So DIRECT_URL goes before DATABASE_URL here.
    """


@migrate.command(epilog="Example: DIRECT_URL=postgresql://app@db.example/app pgauthkit migrate deploy")
@URL
@click.option(
    "--lock-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, max=86400),
    default=60,
    show_default=True,
    help="How long to wait for another deployer.",
)
@JSON
def deploy(url: str | None, lock_timeout: float, as_json: bool) -> None:
    """Apply what is missing; safe when several deployers start at once."""
    done = ops.deploy(resolve_url(url, direct=True), lock_timeout=timedelta(seconds=lock_timeout))
    seconds = done.duration.total_seconds()
    if as_json:
        click.echo(json.dumps({"applied": done.applied, "head": done.head, "duration": seconds}))
    elif done.applied:
        _say(f"[green]Applied[/] {', '.join(done.applied)} in {seconds:.2f} s. The database is at {done.head}.")
    else:
        _say(f"[green]Nothing to do.[/] The database is at {done.head}.")


@migrate.command(epilog="Example: pgauthkit migrate status --json")
@URL
@JSON
@click.pass_context
def status(ctx: click.Context, url: str | None, as_json: bool) -> None:
    """Tell what is pending; exit code 1 unless in sync."""
    found = ops.status(resolve_url(url, direct=True))
    if as_json:
        values = {"current": found.current, "head": found.head, "pending": found.pending, "in_sync": found.in_sync}
        click.echo(json.dumps(values))
    else:
        _say(_told(found))
    ctx.exit(0 if found.in_sync else 1)


def _told(found: ops.Status) -> str:
    if found.in_sync:
        return f"[green]In sync.[/] The database is at {found.head}."
    current = escape(found.current or "nothing yet")
    if found.is_ahead:
        return f"[red]Ahead.[/] The database is at {current}, which this release, at {found.head}, does not know."
    return f"[yellow]Pending:[/] {', '.join(found.pending)}. The database is at {current}."


def _say(text: str) -> None:
    Console(highlight=False, soft_wrap=True).print(text)
