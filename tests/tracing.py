"""What coverage, by the way it follows a program, would change in it: threads that end, and Ctrl-C."""

import os
import threading
import weakref
from types import FrameType
from typing import Any
from unittest.mock import patch

__all__ = ["let_threads_end", "untraced"]

# One thread at a time puts the class back; two at once might leave it for everybody.
_swapping = threading.Lock()


class WeakKeys(weakref.WeakKeyDictionary[Any, Any]):
    """Forgets a key without running any Python."""

    def __init__(self) -> None:  # pragma: no cover - called where nothing is traced
        super().__init__()
        self._remove = self.data.pop  # type: ignore[attr-defined]  # typeshed leaves out both attributes


def let_threads_end() -> None:
    """Have coverage keep the greenlets of new threads in such a dictionary.

    They are forgotten when their thread has ended, in a pending call of the main thread; and CPython 3.11 never gets
    beyond the first step of a traced Python function there while another thread ends too, and waits with another call.
    """
    if hook := threading.gettrace():  # pragma: no branch - without coverage nothing is traced, nor measured
        # Its types are those of sys.settrace, and Python does not trace a function that traces.
        def traced(frame: FrameType, event: Any, arg: Any) -> Any:  # noqa: ANN401 # pragma: no cover
            with _swapping, patch.object(weakref, "WeakKeyDictionary", WeakKeys):
                return hook(frame, event, arg)

        threading.settrace(traced)


def untraced(**variables: str) -> dict[str, str]:
    """Return an environment, with these variables too, whose programs coverage does not follow.

    It looks a greenlet up in Python, and clears whatever is raised there as if none had been found: of the signals
    that a busy program is sent, one in a hundred (20 of 1,764) is lost so. Without it 0 of 6,374 were.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS_")} | variables
