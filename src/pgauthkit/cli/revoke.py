"""`pgauthkit revoke --all`: sign everybody out."""

import json

import click
from rich.console import Console

from pgauthkit.cli.settings import APPLICATION_URL, resolve_url
from pgauthkit.database import create_engine
from pgauthkit.service import AuthService

__all__ = ["revoke"]


@click.command(epilog="Example, after a restore: pgauthkit revoke --all")
@APPLICATION_URL
@click.option(
    "--all",
    "everybody",
    is_flag=True,
    required=True,
    help="Of every user. It has to be given, so that nobody does this by accident.",
)
@click.option(
    "--batch-size", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Rows in one statement."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def revoke(url: str | None, everybody: bool, batch_size: int, as_json: bool) -> None:  # noqa: ARG001 - a confirmation
    """End the sessions of everybody, and every pending link.

    For after a restore or a leak. Anyone who signs in meanwhile, with a new link, stays signed in. It may be stopped at
    any moment, and be called again.

    DATABASE_URL goes before DIRECT_URL: the application's role may do it, also behind a pooler.
    """
    console, engine = Console(stderr=True, quiet=as_json), create_engine(resolve_url(url, direct=False))
    with console.status("Signing everybody out …") as status:
        count = AuthService(engine).revoke_all_sessions(
            batch_size=batch_size, on_progress=lambda ended: status.update(f"Signing everybody out: {ended:,} so far …")
        )
    engine.dispose()
    click.echo(json.dumps({"sessions": count}) if as_json else f"Ended {count:,} sessions, and every pending link.")
