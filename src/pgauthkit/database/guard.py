"""Ends the server of a directory; run as a script, does so when the process that started it is gone.

The script is started by its path, not by its name, and imports the standard library only: a guard waits for as long as
the server runs, so it should be small, and it must not depend on how the package is installed by then.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path

__all__ = ["end", "is_running", "main", "read_owner", "read_pid"]

LOCK = "lock"
DATA = "data"
INTERVAL = 0.02  # seconds between two looks


def is_running(directory: Path) -> bool:
    """Say whether a server, or an initdb, is at work in a directory.

    They inherit the directory's lock, so the lock is held for exactly as long as one of their processes lives, also
    when it is killed. The process id in `postmaster.pid` proves nothing: it may be a stranger's by now.
    """
    try:
        descriptor = os.open(directory / LOCK, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_pid(directory: Path) -> int | None:
    """Read the server's process id, true only while `is_running`; None where it has not written it yet."""
    try:
        pid = int((directory / DATA / "postmaster.pid").read_text(encoding="utf-8").partition("\n")[0])
    except (OSError, ValueError):
        return None
    # The file belongs to the server's account: 1 would be the system's first process, and less whole groups of them.
    return pid if pid > 1 else None


def read_owner(directory: Path) -> int | None:
    """Read who started what is running: the process id that was written into the lock; None where there is none."""
    try:
        return int((directory / LOCK).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def end(directory: Path, *, owner: int | None = None, remove: bool = False, patience: float = 10.0) -> bool:
    """Stop the server of a directory, and wait until all its processes are gone.

    The server is asked to stop fast (SIGINT: sessions are cut off, the data are written), then to stop at once
    (SIGQUIT), and is killed if it answers neither. See https://www.postgresql.org/docs/16/server-shutdown.html.

    Args:
        directory: the server's.
        owner: the process id of its starter; a server that another process started meanwhile is left alone.
        remove: whether to delete the directory afterwards.
        patience: the seconds that each of the three may take.

    Returns:
        Whether no such server is left; also True where there was none.
    """
    signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    ended = any(_ends_by(directory, owner, number, patience) for number in signals)
    if remove and ended:
        shutil.rmtree(directory, ignore_errors=True)
    return ended


def _ends_by(directory: Path, owner: int | None, number: signal.Signals, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while is_running(directory) and owner in (None, read_owner(directory)):
        if time.monotonic() > deadline:
            return False
        # Again at each look: a server that is only starting has not written its process id yet.
        if pid := read_pid(directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(INTERVAL)
    return True


def main(directory: str, owner: str, temporary: str) -> None:
    """Wait until standard input ends, which the system sees to when its writer is gone; then end the server.

    Args:
        directory: the server's.
        owner: the process id of that writer.
        temporary: `yes` to delete the directory as well.
    """
    sys.stdin.buffer.read()
    end(Path(directory), owner=int(owner), remove=temporary == "yes")


if __name__ == "__main__":
    main(*sys.argv[1:])
