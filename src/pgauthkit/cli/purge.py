"""`pgauthkit purge`: delete expired links, sessions, devices and rate limits."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

import attrs
import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pgauthkit.cli.settings import APPLICATION_URL, resolve_url
from pgauthkit.database import create_engine
from pgauthkit.service import AuthService
from pgauthkit.values import PurgeReport

__all__ = ["purge"]

LINE_EVERY = 50  # batches, where the output is a log


@click.command(epilog="Example, as a line of crontab: 15 * * * * pgauthkit purge --keep-days 7")
@APPLICATION_URL
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    default=1,
    show_default=True,
    help="How long rows are kept after their end.",
)
@click.option(
    "--batch-size", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Rows in one statement."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def purge(url: str | None, keep_days: float, batch_size: int, as_json: bool) -> None:
    """Delete expired links, sessions, devices and rate limits.

    Nothing depends on it but disk space. It may run beside the load, on several hosts at once, and be stopped at any
    moment: each batch is one short transaction, which waits for nobody.

    DATABASE_URL goes before DIRECT_URL: the application's role may do it, also behind a pooler.
    """
    engine = create_engine(resolve_url(url, direct=False))
    with _progress(quiet=as_json) as show:
        report = AuthService(engine).purge(keep=timedelta(days=keep_days), batch_size=batch_size, on_progress=show)
    engine.dispose()
    click.echo(json.dumps(attrs.asdict(report)) if as_json else f"Purged {_told(report)}.")


@contextmanager
def _progress(*, quiet: bool) -> Generator[Callable[[PurgeReport], None]]:
    """A bar that moves on a terminal; now and then a line in a log."""
    console = Console(stderr=True, quiet=quiet)
    if not console.is_terminal:
        batches = count(1)
        yield lambda report: None if next(batches) % LINE_EVERY else console.print(f"… {_told(report)}")
        return
    columns = (
        TextColumn("Purging"),
        BarColumn(pulse_style="cyan"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda report: bar.update(task, description=_told(report))


def _told(report: PurgeReport) -> str:
    devices = f", {report.devices:,} devices" if report.devices else ""
    return f"{report.magic_links:,} links, {report.sessions:,} sessions, {report.rate_limits:,} rate limits{devices}"
