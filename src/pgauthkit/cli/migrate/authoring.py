"""`pgauthkit migrate init`, `new` and `dev`: writing the application's own revisions."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from pgauthkit.cli.migrate.options import (
    JSON,
    NO_SEED,
    URL,
    database,
    host_to_write,
    is_production,
    made_folder,
    print_json,
    say,
    shown,
)
from pgauthkit.cli.settings import read_settings
from pgauthkit.ops import migrate as ops
from pgauthkit.ops.migrate import Script

__all__ = ["dev", "init", "new"]

_DROPS: Final = re.compile(r"^(?:DROP TABLE (.+)|ALTER TABLE (.+) DROP COLUMN (.+));$", re.MULTILINE)
AGREE: Final = "[green]Nothing to write.[/] The models and the database agree."
MESSAGE: Final = click.option("-m", "--message", required=True, help="What the revision does.")


@click.command(epilog="Example: pgauthkit migrate init --models blog.models:Base")
@click.option("--models", metavar="MODULE:NAME", help="The declarative base.  [default: models of pyproject.toml]")
@click.option("--migrations", metavar="FOLDER", help="Where.  [default: migrations of pyproject.toml, or migrations]")
@JSON
def init(*, models: str | None, migrations: str | None, as_json: bool) -> None:
    """Make the folder of migrations for an application without Alembic."""
    settings = read_settings()
    models = models or settings.models
    if models is None:
        raise click.UsageError("Give the declarative base: --models blog.models:Base.")
    folder = migrations or settings.migrations or "migrations"
    paths = [shown(path) for path in made_folder(models, folder)]
    if as_json:
        print_json({"written": paths})
    else:
        say(f"[green]Wrote[/] {', '.join(paths)}. Next: pgauthkit migrate dev -m NAME")


@click.command(epilog='Example: pgauthkit migrate new -m "Add posts"')
@MESSAGE
@click.option("--empty", is_flag=True, help="Leave it empty, to be written by hand.")
@URL
@JSON
def new(*, message: str, empty: bool, url: str | None, as_json: bool) -> None:
    """Write a revision: what the models have and the database has not."""
    by_hand: list[str] = []
    path = ops.new_revision(database(url), host_to_write(), message, empty=empty, on_by_hand=by_hand.extend)
    if as_json:
        print_json({"written": path and shown(path), "by_hand": by_hand})
        return
    if path:
        say(f"[green]Wrote[/] {shown(path)}. Read it before you deploy it.")
    _say_by_hand(by_hand, agreed=path is None)


@click.command(epilog='Example: pgauthkit migrate dev -m "Add posts"')
@MESSAGE
@NO_SEED
@URL
@JSON
def dev(*, message: str, no_seed: bool, url: str | None, as_json: bool) -> None:
    """Write a revision, show its SQL, and apply it, on a database of development; a fresh one is seeded.

    On a terminal it asks first where tables or columns are dropped, and deletes the file again where the answer is no.
    """
    files: list[Path] = []

    def tell(path: Path) -> None:
        files.append(path)
        say(f"[green]Wrote[/] {shown(path)}.")

    def show(script: Script) -> None:
        click.echo(script.sql)
        _ask_about(script, files[-1])

    done = ops.develop(
        database(url),
        host_to_write(),
        message,
        seed=None if no_seed else read_settings().seed,
        production=is_production(),
        on_written=None if as_json else tell,
        on_script=None if as_json else show,
    )
    written = done.written and shown(done.written)
    if as_json:
        seeded = done.seeding and done.seeding.function
        sql = [script.sql for script in done.scripts]
        print_json({"written": written, "sql": sql, "applied": done.applied, "seed": seeded, "by_hand": done.by_hand})
        return
    _say_by_hand(done.by_hand, agreed=written is None)
    if done.applied:
        say(f"[green]Applied[/] {', '.join(done.applied)}.")
    if done.seeding:
        say(f"[green]Seeded[/] by {done.seeding.function}.")


def _say_by_hand(by_hand: Sequence[str], *, agreed: bool) -> None:
    if by_hand:
        say("[yellow]Not written.[/] Where a line says nothing else, write it by hand (pgauthkit migrate new --empty):")
        click.echo("".join(f"  {sentence}\n" for sentence in by_hand), nl=False)
    elif agreed:
        say(AGREE)


def _ask_about(script: Script, path: Path) -> None:
    dropped = [".".join(filter(None, names)) for names in _DROPS.findall(script.sql)]
    if not dropped or not sys.stdin.isatty():
        return
    if not click.confirm(f"This drops {', '.join(dropped)}, with all that is in there. Apply it?"):
        path.unlink()
        say(f"Deleted {shown(path)}.")
        raise click.Abort
