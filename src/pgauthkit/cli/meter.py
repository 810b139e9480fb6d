"""A bar on a terminal that counts bytes while a dump is written or read."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["byte_meter"]


@contextmanager
def byte_meter(title: str, *, quiet: bool, total: int | None = None) -> Generator[Callable[[int], object] | None]:
    """Show how far it is, on standard error; into a file or a log, nothing.

    Args:
        title: what is being done.
        quiet: whether nothing is wanted.
        total: how many bytes there are, where that is known.
    """
    console = Console(stderr=True, quiet=quiet)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (TextColumn(title), BarColumn(pulse_style="cyan"), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)
