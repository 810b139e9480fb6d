"""`pgauthkit migrate sql` and `rollback`: reading what will run, and undoing it."""

from datetime import timedelta
from pathlib import Path

import attrs
import click
from rich.markup import escape

from pgauthkit.cli.migrate.options import (
    BACKUP_DIR,
    JSON,
    LOCK_TIMEOUT,
    URL,
    YES,
    database,
    host,
    needs_consent,
    print_json,
    say,
)
from pgauthkit.ops import migrate as ops
from pgauthkit.ops.migrate import Finding, Rehearsal, RollbackPlan
from pgauthkit.ops.revisions.tracks import BUNDLED

__all__ = ["rollback", "sql"]


@click.command(epilog="Example: pgauthkit migrate sql --lint")
@click.argument("between", metavar="[FROM:TO]", required=False)
@click.option(
    "--track",
    type=click.Choice(["bundled", "host"]),
    help="Whose migrations: bundled with pgauthkit, or those of the host, the application.  [default: both of what is"
    " pending; of FROM:TO the application's, or ours where it has none]",
)
@click.option(
    "--lint", "with_lint", is_flag=True, help="Report what is not safe on a database in use; needs squawk-cli."
)
@URL
@JSON
@click.pass_context
def sql(
    ctx: click.Context, *, between: str | None, track: str | None, with_lint: bool, url: str | None, as_json: bool
) -> None:
    """Print the SQL of what is pending, or from one revision to another; run nothing.

    FROM:TO needs no database; `base` is the beginning, and an empty TO the head. Exit code 1 where --lint finds
    something.
    """
    theirs = host()
    if track == "host" and theirs is None:
        raise click.UsageError("The application has no migrations here; `pgauthkit migrate init` makes their folder.")
    if between is None:
        scripts = ops.pending_sql(database(url), host=theirs)
        scripts = tuple(script for script in scripts if track in {None, script.track})
    else:
        scripts = (ops.range_sql(BUNDLED if track == "bundled" else theirs or BUNDLED, between),)
    found = {script.track: ops.lint(script.sql) for script in scripts} if with_lint else {}
    if as_json:
        print_json(
            [{**attrs.asdict(s), "findings": [attrs.asdict(one) for one in found.get(s.track, ())]} for s in scripts]
        )
    else:
        for script in scripts:
            click.echo(script.sql)
        if not scripts:
            click.echo("Nothing is pending.", err=True)
        for findings in found.values():
            _print_findings(findings)
    ctx.exit(1 if any(found.values()) else 0)


@click.command(epilog="Example: pgauthkit migrate rollback -1 --sql", context_settings={"ignore_unknown_options": True})
@click.argument("to", metavar="[-1|REVISION|base]", default="-1")
@click.option("--sql", "only_sql", is_flag=True, help="Print the statements, and do nothing.")
@click.option("--rehearse", is_flag=True, help="Try it on a restored copy, down and up again, and change nothing else.")
@click.option("--no-backup", is_flag=True, help="Make no backup before it.")
@BACKUP_DIR
@YES
@LOCK_TIMEOUT
@URL
@JSON
def rollback(
    *,
    to: str,
    only_sql: bool,
    rehearse: bool,
    no_backup: bool,
    backup_dir: Path,
    yes: bool,
    lock_timeout: float,
    url: str | None,
    as_json: bool,
) -> None:
    """Undo the last migration, or all after one, after showing what it costs and making a backup.

    -1 is the last one of the application, -2 its last two; a REVISION is the last one that stays, and base undoes all
    of the application's. Ours are undone where the application has none applied, or by name, such as bundled:0001.
    """
    if to.startswith("-") and not to[1:].isdecimal():  # The options that are not known, for the sake of -1.
        raise click.NoSuchOption(to)
    target, track = database(url), host()
    plan = ops.plan_rollback(target, to, host=track)
    if only_sql:
        print_json(attrs.asdict(plan)) if as_json else click.echo(plan.sql)
        return
    _warn(plan)
    if rehearse:
        _print_rehearsal(ops.rehearse_rollback(target, to, host=track), as_json=as_json)
        return
    whose = "pgauthkit" if plan.track == "bundled" else "the application"
    needs_consent(f"Undo {', '.join(plan.revisions)} of {whose}?", yes=yes)
    saved, wait = None if no_backup else backup_dir, timedelta(seconds=lock_timeout)
    done = ops.rollback(target, to, host=track, backup_to=saved, lock_timeout=wait)
    if as_json:
        values = {**attrs.asdict(done), "duration": done.duration.total_seconds()}
        print_json({**values, "losses": [attrs.asdict(loss) for loss in plan.losses]})
        return
    if done.backup:
        say(f"[green]Saved[/] {escape(str(done.backup))}.")
    say(f"[green]Undone:[/] {', '.join(done.undone)}.")


def _warn(plan: RollbackPlan) -> None:
    for loss in plan.losses:
        click.echo(f"{loss.rows:,} rows of {loss.what} will be lost.", err=True)
    if not plan.sql:
        click.echo("What will be lost cannot be determined: the downgrade queries the database.", err=True)


def _print_rehearsal(done: Rehearsal, *, as_json: bool) -> None:
    copying, down, up = (value.total_seconds() for value in (done.copying, done.down.duration, done.up.duration))
    if as_json:
        times = {"copying": copying, "down": down, "up": up}
        print_json({"undone": done.down.undone, "rows": done.rows, "seconds": times})
    else:
        say(
            f"[green]Rehearsed[/] on a copy of {done.rows:,} rows, made in {copying:.1f} s:"
            f" {', '.join(done.down.undone)} down in {down:.1f} s, and up again in {up:.1f} s. Nothing else was done."
        )


def _print_findings(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        click.echo(f"-- line {finding.line}: {finding.rule}: {finding.message} {finding.help}".rstrip(), err=True)
