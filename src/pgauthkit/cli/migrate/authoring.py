"""`pgauthkit migrate init`, `new` and `dev`: writing the application's own migrations."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.markup import escape

from pgauthkit.cli.migrate.options import (
    JSON,
    NO_SEED,
    URL,
    YES,
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
from pgauthkit.ops.migrate import Development, Hazard, Rename, Script

__all__ = ["dev", "init", "new"]

_DROPS: Final = re.compile(r"^(?:DROP TABLE (.+)|ALTER TABLE (.+) DROP COLUMN (.+));$", re.MULTILINE)
AGREE: Final = "[green]Nothing to write.[/] The models and the database agree."
NOT_COMPARED: Final = (
    "Not compared: functions, triggers, tablespaces, array dimensions; views, sequences and types without a model;"
    " NO INHERIT, NOT ENFORCED, WITHOUT OVERLAPS and PERIOD."
)
MESSAGE: Final = click.option(
    "-m", "--message", required=True, help="What the migration does: a few words, for its name."
)
RENAME: Final = click.option(
    "--rename",
    "renames",
    metavar="TABLE.OLD=NEW",
    multiple=True,
    help="This column has only a new name: rename it, with its values. May be given again.",
)


@click.command(epilog="Example: pgauthkit migrate init --models blog.models:Base")
@click.option(
    "--models",
    metavar="MODULE:NAME",
    help="The declarative base, or a module with models; several with commas.  [default: models of pyproject.toml]",
)
@click.option(
    "--migrations",
    metavar="FOLDER",
    help="Where the migrations go.  [default: migrations of pyproject.toml, or migrations]",
)
@JSON
def init(*, models: str | None, migrations: str | None, as_json: bool) -> None:
    """Make the folder of the application's migrations.

    Models and folder are named in [tool.pgauthkit] of pyproject.toml, unless they are there. Where there is an
    alembic.ini, nothing has to be made.
    """
    settings = read_settings()
    models = models or settings.models
    if models is None:
        raise click.UsageError("Name the declarative base of your models, such as --models blog.models:Base.")
    folder = migrations or settings.migrations or "migrations"
    paths = [shown(path) for path in made_folder(models, folder)]
    if as_json:
        print_json({"written": paths})
    else:
        say(f"[green]Wrote[/] {', '.join(paths)}. Next: pgauthkit migrate dev -m NAME")


@click.command(epilog='Example: pgauthkit migrate new -m "Add posts"')
@MESSAGE
@click.option("--empty", is_flag=True, help="Compare nothing: write an empty one, to be filled by hand.")
@RENAME
@URL
@JSON
def new(*, message: str, empty: bool, renames: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Write a migration from the difference between models and database.

    The file is written and not applied. What the models no longer have is dropped in it: read it before you deploy it.
    """
    by_hand: list[str] = []
    hazards: list[Hazard] = []
    path = ops.new_revision(
        database(url),
        host_to_write(),
        message,
        empty=empty,
        renames=_by_name(renames),
        on_rename=None if as_json else _ask_whether_renamed,
        on_hazards=hazards.extend,
        on_by_hand=by_hand.extend,
    )
    warnings = [hazard.message for hazard in hazards]
    if as_json:
        print_json({"written": path and shown(path), "by_hand": by_hand, "warnings": warnings})
        return
    if path:
        say(f"[green]Wrote[/] {shown(path)}. Read it before you deploy it.")
    _say_warnings(warnings)
    _say_by_hand(by_hand, agreed=path is None)


@click.command(epilog='Example: pgauthkit migrate dev -m "Add posts"')
@MESSAGE
@RENAME
@YES
@NO_SEED
@URL
@JSON
def dev(*, message: str, renames: tuple[str, ...], yes: bool, no_seed: bool, url: str | None, as_json: bool) -> None:
    """Write a migration, show its SQL, and apply it, on a database of development.

    Tables, columns, indexes and unique keys that the models do not have are dropped. On a terminal it asks before a
    table or a column goes, and deletes the file again where the answer is no. Elsewhere, and with --json, it does so
    where something is in there, unless --yes is given. `migrate drift` and `migrate new` show it beforehand.

    On a terminal it also asks whether a column that goes and one of the same type that comes are one under a new name;
    elsewhere say so with --rename. What the server would refuse because of the rows that are there is not applied. A
    database that had nothing is seeded.
    """
    files: list[Path] = []

    def tell(path: Path) -> None:
        files.append(path)
        say(f"[green]Wrote[/] {shown(path)}.")

    def show(script: Script) -> None:
        click.echo(script.sql)
        if is_asked:
            _ask_about(script, files[-1])

    is_asked = sys.stdin.isatty() and not as_json and not yes
    done = ops.develop(
        database(url),
        host_to_write(),
        message,
        seed=None if no_seed else read_settings().seed,
        production=is_production(),
        renames=_by_name(renames),
        on_rename=None if as_json else _ask_whether_renamed,
        on_warnings=None if as_json else _say_warnings,
        on_written=files.append if as_json else tell,
        on_script=None if as_json else show,
        on_losses=None if is_asked or yes else lambda losses: _refuse(losses, files[-1]),
    )
    written = shown(done.written) if done.written else None
    if as_json:
        _print_development(done, written)
        return
    _say_by_hand(done.by_hand, agreed=written is None)
    if done.applied:
        say(f"[green]Applied[/] {', '.join(done.applied)}.")
    if done.seeding:
        say(f"[green]Seeded[/] by {done.seeding.function}.")


def _refuse(losses: Sequence[str], path: Path) -> None:
    path.unlink()
    raise click.UsageError(
        f"This drops {', '.join(losses)}, with all that is in there, and nobody is there to be asked: give --yes; or"
        f" --rename where a column has only a new name. Deleted {shown(path)}; nothing of it was applied."
    )


def _print_development(done: Development, written: str | None) -> None:
    seeded = done.seeding and done.seeding.function
    sql = [script.sql for script in done.scripts]
    told = {"by_hand": done.by_hand, "warnings": done.warnings}
    print_json({"written": written, "sql": sql, "applied": done.applied, "seed": seeded, **told})


def _by_name(renames: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in renames]
    if wrong := [one for one, (old, _, new) in zip(renames, pairs, strict=True) if not (new and "." in old)]:
        raise click.UsageError(f"A rename is written TABLE.OLD=NEW, such as posts.title=headline, not {wrong[0]}.")
    return {old: new for old, _, new in pairs}


def _ask_whether_renamed(pair: Rename) -> bool:
    question = f"Is {pair.table}.{pair.new} the column {pair.table}.{pair.old} under a new name?"
    try:
        return sys.stdin.isatty() and click.confirm(question)
    except click.Abort:
        raise KeyboardInterrupt from None  # or it would be reported as an error of the env.py that is running


def _say_warnings(warnings: Sequence[str]) -> None:
    for sentence in warnings:
        say(f"[yellow]Warning:[/] {escape(sentence)}")


def _say_by_hand(by_hand: Sequence[str], *, agreed: bool) -> None:
    if by_hand:
        say("[yellow]Not written.[/] Where a line says nothing else, write it by hand (pgauthkit migrate new --empty):")
        click.echo("".join(f"  {sentence}\n" for sentence in by_hand), nl=False)
    elif agreed:
        say(AGREE)
        click.echo(NOT_COMPARED, err=True)  # so that what a script reads is one line


def _ask_about(script: Script, path: Path) -> None:
    dropped = ", ".join(".".join(filter(None, names)) for names in _DROPS.findall(script.sql))
    if not dropped or click.confirm(f"This drops {dropped}, with all that is in there. Apply it?"):
        return
    path.unlink()
    say(f"Deleted {shown(path)}.")
    raise click.Abort
