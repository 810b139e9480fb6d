"""`pgauthkit restore`: put a dump into a database, all of it or nothing, and say what changed."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import attrs
import click
from rich.markup import escape

from pgauthkit.cli.dev_db import BINARIES
from pgauthkit.cli.meter import byte_meter
from pgauthkit.cli.migrate.options import JSON, host, print_json, say
from pgauthkit.cli.settings import SERVER_URL, resolve_url
from pgauthkit.ops import restore as ops
from pgauthkit.ops.server.presence import database_name

__all__ = ["counted", "restore", "restored"]


@click.command(epilog="Example: pgauthkit restore backups/blog-20260131T030000Z.dump --to postgresql:///rehearsal")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to",
    metavar="URL",
    help="The database to restore into: --to and --url mean the same.",
)
@SERVER_URL
@click.option("--clean", is_flag=True, help="Drop everything that is in the database first: asks for its name.")
@click.option(
    "--force",
    metavar="NAME",
    help="The database's name, for scripts: do not ask for it, and go on while others are connected.",
)
@click.option("--no-owner", is_flag=True, help="Leave out owners and grants, for a server with other roles.")
@click.option(
    "--container", metavar="NAME", help="Run PostgreSQL's programs inside the server's container (podman or docker)."
)
@BINARIES
@JSON
@click.pass_context
def restore(
    ctx: click.Context,
    *,
    file: Path,
    to: str | None,
    url: str | None,
    clean: bool,
    force: str | None,
    no_owner: bool,
    container: str | None,
    binaries: Path | None,
    as_json: bool,
) -> None:
    """Put a dump into a database, all of it or nothing.

    FILE is a dump of `pgauthkit backup`, or one that pg_dump made: its own format, or SQL. It is checked against its
    manifest before, and the database after: exit code 1 where it is not as the manifest says.

    DIRECT_URL goes before DATABASE_URL, as the tables are made by their owner, on the server itself.
    """
    if to and url:
        raise click.UsageError("--to and --url both name the database to restore into: give one of them.")
    target = resolve_url(to or url, direct=True)
    name = force or (_asked(target) if clean else None)  # before the bar, which would write over the question
    with byte_meter("Restoring", quiet=as_json, total=file.stat().st_size if file.is_file() else None) as show:
        done = ops.restore(
            file,
            target,
            host=host(),
            clean=clean,
            name=name,
            force=force is not None,
            owners=not no_owner,
            container=container,
            binaries=binaries,
            on_progress=show,
        )
    if as_json:
        print_json(restored(done))
    else:
        first = f'[green]Restored[/] {escape(str(file))} into the database "{escape(done.database)}"'
        say("\n".join([f"{first} in {done.duration.total_seconds():.1f} s.", *counted(done)]))
    ctx.exit(1 if done.discrepancies else 0)


def restored(done: ops.Restoration) -> dict[str, object]:
    """Return what a restore did, for a program."""
    values: dict[str, object] = attrs.asdict(done, value_serializer=_in_seconds)
    return values


def counted(done: ops.Restoration) -> Iterator[str]:
    """Return what a restore did, line by line, with rich's markup."""
    for table in sorted(done.before.keys() | done.after.keys()):
        was, is_ = done.before.get(table, 0), done.after.get(table)
        now = "gone" if is_ is None else f"{is_:,} rows"
        yield f"  {escape(table)}: {now}" + (f", before {was:,}" if table in done.before and was != is_ else "")
    if done.statistics:
        yield from _gathered(done.statistics)
    if done.manifest is None:
        yield "[yellow]Without a manifest[/] there is nothing to compare it with."
    elif done.manifest.schema_only:
        yield "The dump has no rows, so its revisions are not recorded: see `pgauthkit migrate resolve --applied`."
    for one in done.discrepancies:
        there, here = escape(one.backup), escape(one.database)
        yield f"[red]Not as the manifest says:[/] {escape(one.what)}: {there} there, {here} here."
    if done.manifest and not done.manifest.schema_only and not done.discrepancies:
        yield "Rows and revisions are those of the manifest."
    if done.pending:
        yield f"[yellow]Pending:[/] {escape(', '.join(done.pending))}. Next: pgauthkit migrate deploy"


def _gathered(statistics: ops.Statistics) -> Iterator[str]:
    if statistics.tables:
        seconds = statistics.duration.total_seconds()
        yield f"Statistics for the planner: of {len(statistics.tables)} tables with rows, in {seconds:.1f} s."
    for table, reason in statistics.missing.items():
        yield f"[yellow]No statistics[/] of {escape(table)}: {reason}. By hand: ANALYZE {escape(table)};"


def _in_seconds(_owner: object, _field: object, value: object) -> object:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _asked(target: str) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("This destroys all data, and nobody is there to be asked: give --force NAME.")
    return str(click.prompt(f'Type the name of the database, "{database_name(target)}", to drop all that is in it'))
