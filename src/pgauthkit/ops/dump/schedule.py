"""The line of a crontab that runs a command every night."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pgauthkit.errors import ConfigError

__all__ = ["NIGHTLY", "crontab_line"]

NIGHTLY: Final = "0 3 * * *"
"""Every day at three in the morning, by the machine's clock."""


def crontab_line(command: Sequence[str], *, directory: Path, when: str = NIGHTLY) -> str:
    """Return the line of a crontab that runs a command in a directory. cron mails what it says on standard error.

    Args:
        command: the program, by its absolute path, and its arguments.
        directory: where it runs.
        when: minute, hour, day of the month, month, day of the week, see crontab(5).

    Raises:
        ConfigError: there is a line break in it, for which a crontab has no way.

    Example:
        >>> crontab_line(["/usr/bin/pgauthkit", "backup", "--keep", "7"], directory=Path("/srv/blog"))
        '0 3 * * * cd /srv/blog && /usr/bin/pgauthkit backup --keep 7 > /dev/null'
    """
    words = f"cd {shlex.quote(str(directory))} && {shlex.join(command)} > /dev/null"
    if len(f"{when}{words}".splitlines()) > 1:
        raise ConfigError(["schedule: a line of a crontab can have no line break in it."])
    return f"{when} " + words.replace("%", r"\%")  # crontab(5): a bare % is a line break.
