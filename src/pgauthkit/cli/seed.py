"""`pgauthkit seed`: run the application's seed, in one transaction."""

import sys
from contextlib import nullcontext, redirect_stdout

import attrs
import click
from rich.markup import escape

from pgauthkit.cli.migrate.options import JSON, URL, host, print_json, say
from pgauthkit.cli.settings import read_settings, resolve_url
from pgauthkit.ops import seed as ops

__all__ = ["seed"]


@click.command(epilog="Example: pgauthkit seed -- 100")
@URL
@JSON
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENTS...]")
def seed(*, url: str | None, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Run the application's seed, in one transaction.

    It is named in pyproject.toml, [tool.pgauthkit] seed = "blog.seed:main", and gets a session of SQLAlchemy, or an
    async one, and the arguments. Refused while migrations are pending, which are looked at on the server itself: so
    DIRECT_URL goes before DATABASE_URL.
    """
    function = read_settings().seed
    if function is None:
        raise click.UsageError('There is no seed. Name it in pyproject.toml: [tool.pgauthkit] seed = "blog.seed:main".')
    target, track = resolve_url(url, direct=True), host()
    with redirect_stdout(sys.stderr) if as_json else nullcontext():  # what a seed prints is no JSON
        done = ops.seed(target, function, arguments, host=track)
    seconds = done.duration.total_seconds()
    if as_json:
        print_json({**attrs.asdict(done), "duration": seconds})
    else:
        say(f"[green]Seeded[/] by {escape(done.function)} in {seconds:.2f} s.")
