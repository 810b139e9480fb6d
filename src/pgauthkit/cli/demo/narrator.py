"""`Narrator`: tells steps one by one, with their time, on a terminal as well as into a file."""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

__all__ = ["Narrator", "console_for_all"]

P = ParamSpec("P")
T = TypeVar("T")

WIDTH: Final = 80  # columns; longer lines are harder to read, and not every terminal has more
INDENT: Final = 4
LABEL: Final = 20
ASCII: Final = str.maketrans("…✓", "~+")  # for an output that knows no more


def console_for_all() -> Console:
    """Return a console on standard output that is at most 80 columns wide, and plain under `NO_COLOR`."""
    # Rich's own idea of NO_COLOR keeps bold and underlined, which are escape codes as well.
    console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto", highlight=False, emoji=False)
    console.width = min(console.width, WIDTH)
    return console


class Narrator:
    """Tells what is done: a line with number, title and time for each step, and below it what came of it.

    No line ends in blanks, so that what is piped can be compared and copied.

    Args:
        console: where to; on a terminal with colours a spinner turns while a step runs.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0
        self._started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._started

    def run(self, title: str, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Take a step, and say how long it took; or that it failed, and let its error go on."""
        self._number += 1
        started, outcome = time.perf_counter(), Text("failed", "bold red")
        try:
            with self._spinning(title):
                result = step(*args, **kwargs)
            outcome = Text(f"{(time.perf_counter() - started) * 1000:,.0f} ms", "dim")
        finally:
            self._begin(title, outcome)
        return result

    def section(self, title: str) -> None:
        """Begin a part that is no step."""
        self._console.print()
        self._console.print(Text(title, "bold"))

    def say(self, text: str) -> None:
        """Tell something in a sentence."""
        self._print(Text(), self._legible(text))

    def tell(self, label: str, text: str | Text, *, room: int = LABEL) -> None:
        """Tell what came of something, beside its label, which has `room` columns."""
        self._print(Text(label.ljust(room), "cyan"), self._legible(text) if isinstance(text, str) else text)

    def prove(self, claim: str) -> None:
        """Tell a claim that was checked."""
        self._print(self._legible("✓ ", "bold green"), self._legible(claim))

    def tabulate(self, label: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Tell some rows, beside their label."""
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = [
            self._legible("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), style)
            for row, style in [(header, "dim"), *((row, "") for row in rows)]
        ]
        self.tell(label, Text("\n").join(lines))

    def show(self, text: Text) -> None:
        """Show something that has its own lines, such as code."""
        text.rstrip()
        self._print(Text(), text)

    def frame(self, text: Text) -> None:
        """Show something in a frame of its own."""
        panel = Panel(text, border_style="dim", width=self._console.width - INDENT)
        self._console.print(Padding(panel, (0, 0, 0, INDENT)))

    def _begin(self, title: str, outcome: Text) -> None:
        number = Text(f"{self._number:>2}  ", "bold cyan")
        gap = self._console.width - len(number) - len(outcome)
        self._console.print()
        self._console.print(Text.assemble(number, (title.ljust(gap), "bold"), outcome))

    def _print(self, first: Text, text: Text) -> None:
        """Print a text behind `first`, and its further lines below it; all of it below `first` in a narrow window."""
        if first and self._console.width - INDENT - len(first) < LABEL:
            self._print(Text(), first)
            first = Text("  ")
        for line in text.wrap(self._console, max(self._console.width - INDENT - len(first), LABEL)):
            line.rstrip()
            start = Text.assemble(" " * INDENT, first) if line else Text()
            self._console.print(Text.assemble(start, line), soft_wrap=True)
            first = Text(" " * len(first))

    def _legible(self, text: str, style: str = "") -> Text:
        if self._console.options.ascii_only:
            text = text.translate(ASCII).encode("ascii", "replace").decode()
        return Text(text, style)

    @contextmanager
    def _spinning(self, title: str) -> Generator[None]:
        console = self._console
        # Rich would also spin into a file where FORCE_COLOR is set.
        if not console.is_interactive or console.no_color or not console.file.isatty():
            yield
            return
        with console.status(self._legible(f"{title} …"), spinner="line" if console.options.ascii_only else "dots"):
            yield
