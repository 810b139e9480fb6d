"""`pgauthkit studio`: the database in a browser, on this machine alone."""

import logging
import webbrowser
from importlib.util import find_spec
from threading import Thread

import click

from pgauthkit.cli.migrate.options import say
from pgauthkit.cli.models import models, reflected
from pgauthkit.cli.settings import APPLICATION_URL, resolve_url
from pgauthkit.errors import ConfigError
from pgauthkit.ops.project.mapped import OURS
from pgauthkit.ops.project.reflection import mapped_tables

__all__ = ["studio"]


@click.command(epilog="Example: DATABASE_URL=postgresql://app@db.example/app pgauthkit studio --no-open")
@APPLICATION_URL
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="An address of the loopback.")
@click.option("--port", type=click.IntRange(0, 65535), default=5555, show_default=True, help="0 for a free one.")
@click.option("--write", is_flag=True, help="Let rows be made, changed and deleted.")
@click.option("--reflect", is_flag=True, help="Show the tables that the database has, without models.")
@click.option("--no-open", is_flag=True, help="Print the address, and open no browser.")
def studio(url: str | None, *, host: str, port: int, write: bool, reflect: bool, no_open: bool) -> None:
    """Look at the database in a browser.

    Shows every table of pgauthkit, and of the application's models from [tool.pgauthkit]: lists with search, filters
    and sorting, rows with what they point at, exports as CSV and JSON. Hashes and other secret columns are never read.

    It is read only unless --write is given, listens on this machine alone, and lets in anyone who opens the printed
    address; the token in it is good once. Ctrl-C ends it. DATABASE_URL goes before DIRECT_URL, so that it may do what
    the application's role may.
    """
    if not find_spec("starlette_admin"):
        raise ConfigError(["studio needs packages that are not installed: pip install 'pgauthkit[cli,studio]'"])
    from pgauthkit.studio.server import Studio  # noqa: PLC0415 - only now is it known to be importable

    logging.getLogger("starlette_admin").setLevel(logging.CRITICAL)  # Its warnings quote what was entered.
    shown = (*OURS, *mapped_tables(reflected(url))) if reflect else models()
    served = Studio(resolve_url(url, direct=False), shown, host=host, port=port, write=write)
    for left_out in served.left_out:
        say(f"[yellow]Left out:[/] {left_out.__name__}, as the database has no table {left_out.__table__}.")
    say(f"The studio {'[red]writes[/]' if write else 'is read only'}. Open this address, which is good once:")
    click.echo(served.url)
    if not no_open:
        Thread(target=webbrowser.open, args=[served.url], daemon=True).start()
    try:
        served.serve()
    except KeyboardInterrupt:
        say("Stopped.")
