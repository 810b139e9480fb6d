"""What plans are made of, shown once, as each is made: its statement, and the code that makes objects of its rows."""

import logging
import os
import sys
from typing import Final

__all__ = ["show"]

_log: Final = logging.getLogger("pgauthkit.plans")


def show(text: str) -> None:
    """Log a part of a plan (DEBUG), and print it where the environment has `PGAUTHKIT_SHOW_PLANS=1`."""
    _log.debug("%s", text)
    if os.environ.get("PGAUTHKIT_SHOW_PLANS") == "1":
        print(text, end="\n\n", file=sys.stderr)  # noqa: T201 - that is what was asked for
