"""`pgauthkit backup`: write a dump and its manifest, and rehearse that it can be restored."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs
import click
from click.core import ParameterSource
from rich.markup import escape

from pgauthkit.cli.dev_db import BINARIES
from pgauthkit.cli.meter import byte_meter
from pgauthkit.cli.migrate.options import JSON, URL, host, print_json, say
from pgauthkit.cli.restore import counted, restored
from pgauthkit.cli.settings import resolve_url
from pgauthkit.database.engine import database_url
from pgauthkit.ops import backup as ops
from pgauthkit.ops.dump.manifest import Format
from pgauthkit.ops.dump.schedule import crontab_line
from pgauthkit.ops.dump.verification import rehearse

__all__ = ["backup"]

_GIVEN: Final = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)

DIRECTORY: Final = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default="backups",
    show_default=True,
    help="Where backups are kept; made when missing.",
)
KEEP: Final = click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(min=1),
    help="When this backup is done, delete older ones of this database but the last N, this one included.",
)
KEEP_DAYS: Final = click.option(
    "--keep-days",
    metavar="D",
    type=click.FloatRange(min=0),
    help="The same, but those of the last D days. With --keep, a backup stays that either of the two keeps.",
)
FORMAT: Final = click.option(
    "--format",
    type=click.Choice(["custom", "plain"]),
    default="custom",
    show_default=True,
    help="custom: pg_dump's own, compressed; plain: SQL.",
)
CONTAINER: Final = click.option(
    "--container", metavar="NAME", help="Run PostgreSQL's programs inside the server's container (podman or docker)."
)


@click.group(invoke_without_command=True, epilog="Example: pgauthkit backup --dir /var/backups/blog --keep 7")
@DIRECTORY
@KEEP
@KEEP_DAYS
@click.option("--schema-only", is_flag=True, help="Leave the rows out.")
@FORMAT
@CONTAINER
@BINARIES
@click.option(
    "--schedule", is_flag=True, help="Print a line for crontab that does this every night, and do nothing else."
)
@URL
@JSON
@click.pass_context
def backup(
    ctx: click.Context,
    *,
    directory: Path,
    keep: int | None,
    keep_days: float | None,
    schema_only: bool,
    format: Format,  # noqa: A002 - the option's name
    container: str | None,
    binaries: Path | None,
    schedule: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Write a dump of the database, and a manifest to check it by.

    It is whole, checked and on the disk before it has its name. The database may be in use. DIRECT_URL goes before
    DATABASE_URL, as pg_dump needs the server itself.
    """
    if ctx.invoked_subcommand:
        return
    if schedule:
        _print_schedule(ctx, as_json=as_json)
        return
    with byte_meter("Backing up", quiet=as_json) as show:
        done = ops.backup(
            resolve_url(url, direct=True),
            directory=directory,
            host=host(),
            format=format,
            schema_only=schema_only,
            keep=keep,
            keep_for=None if keep_days is None else timedelta(days=keep_days),
            container=container,
            binaries=binaries,
            on_progress=show,
        )
    _print(done, as_json=as_json)


@backup.command(epilog="Example: pgauthkit backup verify backups/blog-20260131T030000Z.dump")
@click.argument("file", type=click.Path(path_type=Path))
@BINARIES
@JSON
@click.pass_context
def verify(ctx: click.Context, *, file: Path, binaries: Path | None, as_json: bool) -> None:
    """Rehearse that a dump can be restored.

    It is restored into a server that is started for it, compared with its manifest, and the server is thrown away.

    Exit code 1 where the dump is damaged, cannot be restored, or is not what its manifest says.
    """
    with byte_meter("Rehearsing", quiet=as_json) as show:
        done = rehearse(file, host=host(), binaries=binaries, on_progress=show)
    if as_json:
        print_json(restored(done))
    else:
        say("\n".join(["[green]Rehearsed.[/] It can be restored.", *counted(done)]))
    ctx.exit(1 if done.discrepancies else 0)


def _print(done: ops.Backup, *, as_json: bool) -> None:
    seconds = done.duration.total_seconds()
    if as_json:
        print_json({**attrs.asdict(done), "duration": seconds})
        return
    rows = "schema only" if done.manifest.schema_only else f"{sum(done.manifest.rows.values()):,} rows"
    say(f"[green]Backed up[/] {escape(str(done.file))}: {done.manifest.size:,} bytes, {rows}, {seconds:.1f} s.")
    for file in done.deleted:
        say(f"Deleted {escape(str(file))}.")


def _print_schedule(ctx: click.Context, *, as_json: bool) -> None:
    typed = (
        one for one in ctx.command.params if ctx.get_parameter_source(str(one.name)) is ParameterSource.COMMANDLINE
    )
    words = [word for one in typed if one.name not in {"schedule", "as_json"} for word in _words(one, ctx.params)]
    line = crontab_line([sys.executable, "-m", "pgauthkit", "backup", *words], directory=Path.cwd())
    if as_json:
        print_json({"crontab": line})
        return
    click.echo(line)
    click.echo("cron knows nothing of your environment: set DIRECT_URL in a line above this one.", err=True)


def _words(option: click.Parameter, values: Mapping[str, object]) -> list[str]:
    value = values[str(option.name)]
    if option.name == "url":  # A crontab is no place for a password.
        given = database_url(str(value)).difference_update_query(["password", "sslpassword"])
        value = given._replace(drivername="postgresql", password=None)
    return [option.opts[0]] if value is True else [option.opts[0], str(value)]
