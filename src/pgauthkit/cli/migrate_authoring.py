"""`pgauthkit migrate init`, `new` and `dev`: writing the application's own revisions."""

import click

from pgauthkit.cli.migrate_options import JSON, URL, database, host, print_json, say, shown
from pgauthkit.cli.settings import project_directory, read_settings
from pgauthkit.ops.authoring import new_revision
from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.review import pending_sql
from pgauthkit.ops.scaffold import scaffold

__all__ = ["dev", "init", "new"]

MESSAGE = click.option("-m", "--message", required=True, help="What the revision does.")


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
    paths = [shown(path) for path in scaffold(project_directory(), models=models, migrations=folder)]
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
    path = new_revision(database(url), host(), message, empty=empty)
    if as_json:
        print_json({"written": path and shown(path)})
    elif path is None:
        say("[green]Nothing to write.[/] The models and the database agree.")
    else:
        say(f"[green]Wrote[/] {shown(path)}. Read it before you deploy it.")


@click.command(epilog='Example: pgauthkit migrate dev -m "Add posts"')
@MESSAGE
@URL
@JSON
def dev(*, message: str, url: str | None, as_json: bool) -> None:
    """Write a revision, show its SQL, and apply it, on a database of development."""
    target, track = database(url), host()
    before = deploy(target, host=track)
    path = new_revision(target, track, message)
    scripts = pending_sql(target, host=track)
    done = deploy(target, host=track)
    applied = (*before.applied, *before.host, *done.host)
    if as_json:
        print_json({"written": path and shown(path), "sql": [script.sql for script in scripts], "applied": applied})
        return
    for script in scripts:
        click.echo(script.sql)
    say(f"[green]Wrote[/] {shown(path)}." if path else "[green]Nothing to write.[/] The models and the database agree.")
    if applied:
        say(f"[green]Applied[/] {', '.join(applied)}.")
