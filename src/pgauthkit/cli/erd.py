"""`pgauthkit erd`: the schema as a diagram, from the models, which needs no database, or from the database."""

from pathlib import Path

import click

from pgauthkit.cli.models import models, reflected
from pgauthkit.cli.settings import APPLICATION_URL
from pgauthkit.models import User
from pgauthkit.models.owned import own_table
from pgauthkit.ops.erd import diagram

__all__ = ["erd"]


@click.command(epilog="Example: pgauthkit erd --output docs/schema.mmd")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; Markdown where it ends in .md."
)
@click.option("--reflect", is_flag=True, help="Draw the tables that the database has, without models.")
@APPLICATION_URL
def erd(output: Path | None, *, reflect: bool, url: str | None) -> None:
    """Draw the tables and their relations, in Mermaid.

    The tables are those of pgauthkit, and of the application's models from [tool.pgauthkit], or, with --reflect, those
    that its database has.
    """
    found = [reflected(url), own_table(User).metadata] if reflect else [model.metadata for model in models()]
    text = diagram(found)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(f"```mermaid\n{text}```\n" if output.suffix == ".md" else text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(output), error.strerror) from error
    click.echo(f"Wrote {output}.")
