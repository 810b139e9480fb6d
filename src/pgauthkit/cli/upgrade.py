"""`pgauthkit upgrade`: move to a server of a newer version while the application runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import attrs
import click

from pgauthkit.cli.settings import resolve_url
from pgauthkit.ops import upgrade as ops

__all__ = ["upgrade"]

T = TypeVar("T", bound=Callable[..., object])

_EPILOG: Final = "In this order: pgauthkit upgrade plan, check, switch; each with --to URL."


@click.group(epilog=_EPILOG)
def upgrade() -> None:
    """Move to a newer version of PostgreSQL.

    The servers copy every row and every change by logical replication, and the application goes on. It pauses for
    less than a second as a rule, and nobody is signed out. Each command can be stopped and called again.

    Replication needs the servers themselves, so DIRECT_URL goes before DATABASE_URL.
    """


def _servers(command: T) -> T:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
        click.option(
            "--to",
            "new",
            metavar="URL",
            required=True,
            help="The database on the new server, to move to; empty before the first check.",
        ),
        click.option(
            "--url",
            metavar="URL",
            help="The old database, to move away from.  [default: DIRECT_URL, DATABASE_URL, or pyproject.toml]",
        ),
    ):
        command = option(command)
    return command


_BINARIES: Final = click.option(
    "--binaries",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where pg_dump of the new version is.  [default: to find it]",
)


@upgrade.command(epilog="Example: pgauthkit upgrade plan --to postgresql://new.example/shop")
@_servers
@click.pass_context
def plan(ctx: click.Context, url: str | None, new: str, as_json: bool) -> None:
    """Say what would be moved, and what prevents it. Nothing is changed.

    Exit code 1 where there is an obstacle.
    """
    found = ops.plan(resolve_url(url, direct=True), new)
    if as_json:
        click.echo(json.dumps(attrs.asdict(found)))
    else:
        size = sum(table.bytes for table in found.tables)
        click.echo(f"{found.old} to {found.new}: {len(found.tables)} tables, {size / 2**20:,.0f} MiB.")
        for kind, sentences in (("obstacle", found.obstacles), ("note", found.notes)):
            for sentence in sentences:
                click.echo(f"{kind:8}  {sentence}")
        if not found.obstacles:
            click.echo("Next: pgauthkit upgrade check")
    ctx.exit(1 if found.obstacles else 0)


@upgrade.command(epilog="Example: pgauthkit upgrade check --to postgresql://new.example/shop")
@_servers
@_BINARIES
@click.pass_context
def check(ctx: click.Context, url: str | None, new: str, as_json: bool, binaries: Path | None) -> None:
    """Copy, and compare every row.

    The first time it copies the schema, and has the servers copy every row, which takes as long as a backup and a
    restore. Then, each time, it waits until the new server has every change, and compares each row of each table on
    both. The application goes on writing to the old server; nothing else may write to the new one.

    It may be stopped and called again. Until `switch` or `cancel` the old server keeps the WAL that the new one has
    not read. Exit code 1 where rows differ.
    """
    found = ops.check(resolve_url(url, direct=True), new, binaries=binaries, report=_teller(quiet=as_json))
    if as_json:
        click.echo(json.dumps(attrs.asdict(found)))
    else:
        for table in found.tables:
            state = f"{table.different:,} DIFFERENT" if table.different else "equal"
            click.echo(f"{table.rows:>12,} rows  {state:>12}  {table.name}")
        click.echo("Next: pgauthkit upgrade switch" if found.is_equal else "Look at these rows on both servers.")
    ctx.exit(0 if found.is_equal else 1)


@upgrade.command(epilog="Example: pgauthkit upgrade switch --to postgresql://new.example/shop")
@_servers
@_BINARIES
@click.option("--compare", is_flag=True, help="Compare every row once more, in the pause.")
@click.confirmation_option(prompt="The old database becomes read only, and its connections are closed. Go on?")
def switch(url: str | None, new: str, *, as_json: bool, binaries: Path | None, compare: bool) -> None:
    """Move over, with a short pause.

    It brings the new server up as `check` does, where it is behind, and asks before the pause begins: the old database
    becomes read only, its connections are closed, the last change is waited for, and the copy ends. Then give the
    application the new URL. The old database stays read only.
    """
    old, report = resolve_url(url, direct=True), _teller(quiet=as_json)
    done = ops.switch(old, new, compare_rows=compare, binaries=binaries, report=report)
    if as_json:
        click.echo(json.dumps(attrs.asdict(done)))
        return
    click.echo(
        f"Switched, with a pause of {done.pause:.2f} s: {done.sequences} sequences set, {done.unlogged:,} rows of"
        f" UNLOGGED tables copied, {done.views} materialized views refreshed. Give the application the new URL now."
    )


@upgrade.command(epilog="Example: pgauthkit upgrade cancel --to postgresql://new.example/shop")
@_servers
def cancel(url: str | None, new: str, as_json: bool) -> None:
    """Give an upgrade up.

    The copy ends, and the old server keeps no more WAL for it. What was copied stays on the new server.
    """
    followed = ops.cancel(resolve_url(url, direct=True), new)
    said = "Cancelled; drop the new database before another try." if followed else "There was no upgrade under way."
    click.echo(json.dumps({"cancelled": followed}) if as_json else said)


def _teller(*, quiet: bool) -> Callable[[str], object]:
    return lambda sentence: None if quiet else click.echo(sentence, err=True)
