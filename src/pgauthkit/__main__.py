"""`python -m pgauthkit`: the command line, or how to install it."""

import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Run the command line, and exit; the program `pgauthkit` begins here.

    Example:
        >>> main()  # doctest: +SKIP
        Usage: pgauthkit [OPTIONS] COMMAND [ARGS]...
    """
    if not all(map(find_spec, ("click", "rich"))):
        sys.exit("The command line is an extra: pip install 'pgauthkit[cli]'")
    from pgauthkit.cli import main as command  # noqa: PLC0415 - only now is it known to be importable

    command(prog_name="pgauthkit")


if __name__ == "__main__":
    main()
