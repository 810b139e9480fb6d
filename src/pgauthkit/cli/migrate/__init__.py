"""`pgauthkit migrate`: bring a database to what the code needs, and show where it stands."""

from datetime import timedelta
from pathlib import Path

import attrs
import click
from rich.markup import escape

from pgauthkit.cli.migrate.authoring import dev, init, new
from pgauthkit.cli.migrate.mending import drift, reset, resolve
from pgauthkit.cli.migrate.options import BACKUP_DIR, JSON, LOCK_TIMEOUT, URL, database, host, print_json, say
from pgauthkit.cli.migrate.prisma import adopt_prisma
from pgauthkit.cli.migrate.review import rollback, sql
from pgauthkit.ops import migrate as ops
from pgauthkit.ops.revisions.diagnosis import RevisionStatus, TrackStatus

__all__ = ["migrate"]


@click.group(epilog="Example: pgauthkit migrate status || pgauthkit migrate deploy")
def migrate() -> None:
    """Bring a database to what this release needs.

    There are two tracks: the migrations that come with pgauthkit, which go first, and the application's, from
    [tool.pgauthkit] or its alembic.ini. A migration is a file; its revision is the id by which commands name it.

    The connection must lead to the server itself: behind a pooler in transaction mode the lock that keeps two deployers
    apart is void. So DIRECT_URL goes before DATABASE_URL here.
    """


@migrate.command(epilog="Example: DIRECT_URL=postgresql://app@db.example/app pgauthkit migrate deploy")
@URL
@LOCK_TIMEOUT
@click.option("--backup", "with_backup", is_flag=True, help="Make a backup before anything is applied.")
@BACKUP_DIR
@click.option("--strict", is_flag=True, help="Refuse where the file of an applied migration was changed.")
@JSON
def deploy(
    url: str | None, *, lock_timeout: float, with_backup: bool, backup_dir: Path, strict: bool, as_json: bool
) -> None:
    """Apply the migrations that are missing; safe when several deployers start at once."""
    wait = timedelta(seconds=lock_timeout)
    backup_to = backup_dir if with_backup else None
    target, track = database(url), host()
    done = ops.deploy(target, host=track, strict=strict, backup_to=backup_to, lock_timeout=wait)
    seconds = done.duration.total_seconds()
    if as_json:
        print_json({**attrs.asdict(done), "duration": seconds})
        return
    if done.backup:
        say(f"[green]Saved[/] {escape(str(done.backup))}.")
    if done.applied or done.host:
        names = ", ".join((*done.applied, *done.host))
        at = ", ".join(track.heads() if track and done.host else (done.head,))
        say(f"[green]Applied[/] {names} in {seconds:.2f} s. The database is at {at}.")
    else:
        theirs = ", and has every migration of the application" if track else ""
        say(f"[green]Nothing to do.[/] The database is at {done.head}{theirs}.")


@migrate.command(epilog="Example: pgauthkit migrate status --json")
@URL
@JSON
@click.pass_context
def status(ctx: click.Context, *, url: str | None, as_json: bool) -> None:
    """Tell which migrations are pending, edited, missing or failed; exit code 1 unless in sync."""
    found = ops.status(database(url), host=host())
    if as_json:
        values = {"current": found.current, "head": found.head, "pending": found.pending, "in_sync": found.in_sync}
        print_json({**values, "tracks": [_as_values(track) for track in found.tracks]})
    else:
        for track in found.tracks:
            say(_told(track))
    ctx.exit(0 if found.in_sync else 1)


for _command in (init, new, dev, sql, rollback, resolve, drift, reset, adopt_prisma):
    migrate.add_command(_command)


def _as_values(track: TrackStatus) -> dict[str, object]:
    flags = {"in_sync": track.in_sync, "ahead": track.is_ahead, "diverged": track.is_diverged}
    revisions = [
        {**attrs.asdict(revision), "duration": revision.duration and revision.duration.total_seconds()}
        for revision in track.revisions
    ]
    return {**attrs.asdict(track, recurse=False), **flags, "revisions": revisions}


def _told(track: TrackStatus) -> str:
    whose = "pgauthkit" if track.name == "bundled" else "The application"
    at = escape(", ".join(track.current) or "nothing yet")
    if track.in_sync:
        return f"[green]In sync.[/] {whose} is at {at}."
    if track.is_ahead:
        files = f", at {', '.join(track.heads)}," if track.heads else ""
        return f"[red]Ahead.[/] {whose} is at {at}, which these files{files} do not know."
    first = f"[red]Diverged.[/] {whose} is at {at}, which" if track.is_diverged else f"{whose} is at {at}."
    if track.is_diverged:
        first += " these files do not know, and they have revisions that it lacks."
    return "\n".join([first, *(_line(revision) for revision in track.revisions if revision.state != "applied")])


def _line(revision: RevisionStatus) -> str:
    colour = {"pending": "yellow", "interrupted": "yellow"}.get(revision.state, "red")
    why = {
        "edited": "its file was changed after it had been applied",
        "missing": "it was applied, and has no file",
        "failed": f"the server refused it (SQLSTATE {revision.sqlstate}); see `pgauthkit migrate resolve`",
        "interrupted": "its deployer was ended in the middle; the next deployment finishes it",
    }.get(revision.state, revision.title)
    return f"  [{colour}]{revision.state}[/] {escape(revision.id)}: {escape(why)}"
