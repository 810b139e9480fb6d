"""`pgauthkit migrate resolve`, `drift` and `reset`: when database and files do not agree."""

import sys

import attrs
import click

from pgauthkit.cli.migrate.options import JSON, NO_SEED, URL, database, host, is_production, print_json, say
from pgauthkit.cli.models import models
from pgauthkit.cli.settings import read_settings
from pgauthkit.ops import migrate as ops
from pgauthkit.ops.migrate.drift import find_drift
from pgauthkit.ops.migrate.resolution import resolve_applied, resolve_rolled_back
from pgauthkit.ops.server.presence import database_name

__all__ = ["drift", "reset", "resolve"]


@click.command(epilog="Example: pgauthkit migrate resolve --applied 0001")
@click.option(
    "--applied",
    metavar="REVISION",
    help="This migration and all before it are applied already: record them, run nothing.",
)
@click.option(
    "--rolled-back", metavar="REVISION", help="What this migration did was undone by hand: deploy may try it again."
)
@URL
@JSON
def resolve(*, applied: str | None, rolled_back: str | None, url: str | None, as_json: bool) -> None:
    """Record what was done by hand: a baseline, an edited file, a failed migration."""
    if (applied is None) == (rolled_back is None):
        raise click.UsageError("Give one of --applied REVISION and --rolled-back REVISION.")
    target, track = database(url), host()
    if applied is not None:
        done, now = resolve_applied(target, applied, host=track), "applied"
    else:
        done, now = resolve_rolled_back(target, str(rolled_back), host=track), "rolled back"
    if as_json:
        print_json(attrs.asdict(done))
    else:
        say(f"[green]Recorded[/] {done.revision} as {now}; it was {done.was}.")


@click.command(epilog="Example: pgauthkit migrate drift --json")
@click.option("--shadow-url", metavar="URL", help="An empty database to compare with, for a role that may make none.")
@click.option("--ignore", "ignored", metavar="NAME", multiple=True, help="A table or type that no migration makes.")
@URL
@JSON
@click.pass_context
def drift(
    ctx: click.Context, *, shadow_url: str | None, ignored: tuple[str, ...], url: str | None, as_json: bool
) -> None:
    """Tell how the database differs from what its migrations make; exit code 1 where it does."""
    target, track = database(url), host()
    if track is None:
        models()  # What the application's class of users declares is its own, and no revision here makes it.
    found = find_drift(target, host=track, shadow_url=shadow_url, ignored=ignored)
    if as_json:
        print_json([{**attrs.asdict(one), "explanation": one.explanation, "ways_out": one.ways_out} for one in found])
    elif not found:
        say("[green]No drift.[/] The database is what its migrations make of it.")
    else:
        for one in found:
            migrations, there = one.migrations or "nothing", one.database or "nothing"
            click.echo(f"{one.explanation}\n  migrations: {migrations}\n  database:   {there}")
            click.echo("".join(f"  {way}\n" for way in one.ways_out))
    ctx.exit(1 if found else 0)


@click.command(epilog="Example: pgauthkit migrate reset --force blog_test")
@click.option(
    "--force",
    metavar="NAME",
    help="The database's name, for scripts: do not ask for it, and go on in production, while others are connected, and"
    " where tables that stay have foreign keys to ours.",
)
@NO_SEED
@URL
@JSON
def reset(*, force: str | None, no_seed: bool, url: str | None, as_json: bool) -> None:
    """Drop everything, ours and the application's, deploy again, and seed: asks for the database's name.

    Refused in production (PGAUTHKIT_ENV=production), while other sessions are connected, and where tables that stay
    have foreign keys to ours; --force NAME goes on all the same.
    """
    target, track = database(url), host()
    name = force
    if name is None:
        if not sys.stdin.isatty():
            raise click.UsageError("This destroys all data, and nobody is there to be asked: give --force NAME.")
        name = click.prompt(f'Type the name of the database, "{database_name(target)}", to drop all data')
    done = ops.reset(
        target,
        name=str(name),
        host=track,
        seed=None if no_seed else read_settings().seed,
        production=is_production(),
        force=force is not None,
    )
    applied = (*done.deployment.applied, *done.deployment.host)
    if as_json:
        print_json({"schemas": done.schemas, "applied": applied, "seed": done.seeding and done.seeding.function})
        return
    say(f"[green]Emptied[/] {', '.join(done.schemas)}, and applied {', '.join(applied)}.")
    if done.seeding:
        say(f"[green]Seeded[/] by {done.seeding.function}.")
