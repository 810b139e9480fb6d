"""A program of the cluster: started as the server's account, and ended by its process id."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pgauthkit.database.account import Account

PATIENCE: Final = 60.0  # seconds, for what takes one or two where nobody else works
PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
# Below the ports that Linux gives to clients: a client could get the port of a node that is down, and reach itself.
PORTS: Final = range(20_000, 30_000)
# A virtual environment below root's home is closed to the server's account.
OPEN_SESAME: Final = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def wait_until(done: Callable[[], object], what: str, *, patience: float = PATIENCE) -> float:
    """Wait until a question is answered with something true, and return the time of it.

    Example:
        >>> wait_until(lambda: True, "nothing") <= time.monotonic()
        True
    """
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, f"{what}, not within {patience:.0f} s"
        time.sleep(0.05)
    return time.monotonic()


def free_ports() -> Iterator[int]:
    """Yield ports that nobody listens on."""
    numbers = list(PORTS)
    random.SystemRandom().shuffle(numbers)
    for number in numbers:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", number))
            yield number


def is_listening(port: int) -> bool:
    """Say whether somebody accepts connections there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            # The name, in brackets, may have anything in it; after it come the state and the parent.
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def send(number: signal.Signals, pids: Sequence[int]) -> None:
    """Send a signal to processes, some of which may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Program:
    """A program that runs in the background until `end`, or at the latest as long as this process.

    Args:
        command: its name or path, and its arguments.
        account: who runs it.
        log: where its output goes.
        may_read_all: let it execute and read what is root's alone, such as Python in root's home.
    """

    def __init__(
        self, *command: str | Path, account: Account, log: Path, may_read_all: bool = False, path: str = PATH
    ) -> None:
        program = shutil.which(command[0], path=PATH)
        assert program, f"{command[0]} is not installed: make test-cluster does it"
        self._prefix = ["setpriv", *_drop(account, may_read_all=may_read_all), "--pdeathsig=TERM"]
        self._command = [program, *command[1:]]
        self._log = log
        self._environment = {"LC_ALL": "C", "TZ": "UTC", "PATH": path, "HOME": str(log.parent)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, *self._command],
                cwd="/",
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def end(self, *, patience: float = 20.0) -> None:
        """Ask it to end, and kill it where it does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None


def _drop(account: Account, *, may_read_all: bool) -> list[str]:
    if not account.switch:
        return []
    ids = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    return [*ids, *(OPEN_SESAME if may_read_all else ())]
