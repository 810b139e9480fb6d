"""`pgauthkit pull`: models from a database that is there."""

from pathlib import Path
from typing import cast, get_args

import click

from pgauthkit.cli.migrate.options import say
from pgauthkit.cli.settings import APPLICATION_URL, resolve_url
from pgauthkit.ops.project.pull import BaseKind, pull as write_models

__all__ = ["pull"]


@click.command(epilog="Example: pgauthkit pull --schema public --out shop/models.py")
@APPLICATION_URL
@click.option("--schema", "schemas", metavar="NAME", multiple=True, help="Where the tables are; may be given again.")
@click.option(
    "--base",
    type=click.Choice(get_args(BaseKind)),
    default="plain",
    show_default=True,
    help="Whose declarative base: one of the module's own, or ours, which names constraints by a convention.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; it must not be there yet.")
def pull(url: str | None, *, schemas: tuple[str, ...], base: str, out: Path | None) -> None:
    """Write models of the tables that a database has.

    Every table of the application becomes a class with its columns, keys, constraints, indexes and relations. Tables of
    pgauthkit are left out, and a foreign key to its users refers to `pgauthkit.models.User`. Views and partitions are
    left out too. Nothing is changed in the database.

    It is an extra: pip install 'pgauthkit[cli,pull]'.
    """
    pulled = write_models(resolve_url(url, direct=False), schemas=schemas, base=cast("BaseKind", base))
    for note in pulled.notes:
        click.echo(note, err=True)
    if out is None:
        click.echo(pulled.code, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(pulled.code)
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error
    say(f"Wrote {out}: {pulled.tables} {'table' if pulled.tables == 1 else 'tables'}.")
