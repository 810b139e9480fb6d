"""`pgauthkit erd`: the schema as a diagram, from the models; it needs no database."""

from pathlib import Path

import click

from pgauthkit.cli.models import models
from pgauthkit.ops.erd import diagram

__all__ = ["erd"]


@click.command(epilog="Example: pgauthkit erd --output docs/schema.mmd")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; Markdown where it ends in .md."
)
def erd(output: Path | None) -> None:
    """Draw the tables and their relations, in Mermaid.

    The tables are those of pgauthkit, and of the application's models from [tool.pgauthkit].
    """
    text = diagram(model.metadata for model in models())
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(f"```mermaid\n{text}```\n" if output.suffix == ".md" else text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(output), error.strerror) from error
    click.echo(f"Wrote {output}.")
