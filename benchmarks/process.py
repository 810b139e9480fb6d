"""A contender's process, from outside: started, asked for blocks by a line of JSON each, and ended."""

import json
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["Ended", "Process"]

# What no block takes: whoever has not answered by then never will.
PATIENCE: Final = 90.0  # seconds
SAID: Final = 160  # characters of its last words


class Ended(Exception):  # noqa: N818 - it is what happened
    """A process ended where it was to answer."""


class Process:
    """A contender at work."""

    def __init__(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        # A file: nobody reads it while it is written, and a pipe would fill up.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end
        self._process = subprocess.Popen(  # noqa: S603 - our own programs
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=folder,
            env=dict(variables),
        )

    def wait(self) -> None:
        """Wait until it is ready.

        Raises:
            Ended: it never is.
        """
        self._read()

    def block(self, seconds: float) -> dict[str, Any]:
        """Let it work for so long, and return what it came to.

        Raises:
            Ended: it did not answer.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps({"seconds": seconds}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Ended(self._last_words()) from None
        return self._read()

    def end(self) -> None:
        """Ask for nothing more, upon which it ends by itself; leaving the process waits for that."""
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        late = threading.Timer(PATIENCE, self._process.kill)
        late.start()
        try:
            line = self._process.stdout.readline()
        finally:
            late.cancel()
        if not line:
            raise Ended(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        """Return the last error that it wrote, or the last line, without addresses of databases."""
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        told = [line.strip() for line in lines if line.strip() and "://" not in line]
        errors = [line for line in told if "Error" in line]
        return (errors or told or ["it said nothing"])[-1][:SAID]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdout
        self.end()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()
