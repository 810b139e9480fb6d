"""Running one of PostgreSQL's programs as a child: how far it is, why it failed, and its end with ours."""

import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Final

import attrs

from pgauthkit.ops.dump.programs import first_error

__all__ = ["Child", "start"]

_POLL: Final = 0.1  # seconds


@attrs.frozen(kw_only=True)
class Child:
    """A program that was started.

    Attributes:
        process: the child.
        errors: what it wrote on standard error.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def wait(self, on_poll: Callable[[], object] = lambda: None) -> str | None:
        """Wait for its end, and return why it failed, in its own words; None when it did not.

        Args:
            on_poll: called ten times a second.
        """
        while True:
            try:
                code = self.process.wait(_POLL)
            except subprocess.TimeoutExpired:
                on_poll()
                continue
            return self._why() if code else None

    def _why(self) -> str:
        self.errors.seek(0)
        return first_error(self.errors.read().decode(errors="replace"))


@contextmanager
def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
) -> Generator[Child]:
    """Start a program, and end it at the latest at the end of the `with`.

    Its standard error goes into a file, so that it never waits for us to read it.

    Args:
        command: the program and its arguments.
        environment: its environment.
        stdin: what it reads.
        stdout: where its output goes.

    Example:
        >>> with start(["true"], environment={}) as child:
        ...     child.wait()
    """
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=errors) as process,  # noqa: S603 - our own words
    ):
        try:
            yield Child(process=process, errors=errors)
        finally:
            process.kill()  # Does nothing to a process that has ended.
