"""The system account that PostgreSQL's programs run as."""

import contextlib
import os
import pwd
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import IO, TypedDict

import attrs

from pgauthkit.errors import DatabaseUnavailableError

__all__ = ["Account", "Switch", "find_account"]

# LC_ALL and TZ: one server, whatever machine it is made on. Without the caller's PG*: those are for its other servers.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


class Switch(TypedDict, total=False):
    """What `subprocess` needs to start a child as another account; empty for our own."""

    user: int
    group: int
    extra_groups: list[int]


@attrs.frozen(kw_only=True)
class Account:
    """An existing system account.

    Attributes:
        uid: its number.
        gid: its first group's number.
        switch: what `subprocess` needs to start a program as this account.
    """

    uid: int
    gid: int
    switch: Switch

    def run(
        self, *command: str | Path, output: int | IO[bytes] = subprocess.PIPE, descriptors: Collection[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with both its outputs in one, and nothing of our environment.

        Args:
            command: the program and its arguments.
            output: where its output goes; by default, into the result.
            descriptors: open files that it inherits.

        Raises:
            OSError: the program is missing, or not the account's to execute.
        """
        return subprocess.run(  # noqa: S603 -- every caller names the program itself
            command,
            check=False,
            cwd="/",  # ours may be closed to the account
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=descriptors,
            **self.switch,
        )

    def can_enter(self, path: Path) -> bool:
        """Say whether the account may enter a directory, or execute a file."""
        # A child is asked, not the permission bits: there are also groups and access lists, and the folders above.
        return self.run("/bin/sh", "-c", 'test -x "$1"', "sh", path).returncode == 0

    def let_in(self, directory: Path) -> None:
        """Set a directory of ours up so that the account can pass through it, and nobody else can list it."""
        directory.chmod(0o711 if self.switch else 0o700)

    def make_private(self, directory: Path) -> None:
        """Make sure that there is a directory for the account alone."""
        directory.mkdir(mode=0o700, exist_ok=True)
        self.give(directory)

    def give(self, path: Path) -> None:
        """Make the account the owner of a file or a directory."""
        os.chown(path, self.uid, self.gid)


def find_account(name: str | None = None, *, uid: int | None = None) -> Account:
    """Find the account to run PostgreSQL's programs as.

    PostgreSQL refuses root, and initdb wants an account with a name
    (https://www.postgresql.org/docs/16/app-initdb.html), so root takes one that is there already. Everybody else runs
    them as themselves.

    Args:
        name: the account that root takes, rather than `postgres` or else `nobody`.
        uid: the number of the account that asks; None for that of this process.

    Raises:
        DatabaseUnavailableError: there is no such account, or it may not be taken.

    Example:
        >>> find_account("nobody", uid=0).switch["user"] == pwd.getpwnam("nobody").pw_uid
        True
    """
    own = os.geteuid() if uid is None else uid
    if own == 0:
        return _find_for_root([name] if name else ["postgres", "nobody"])
    try:
        entry = pwd.getpwuid(own)
    except KeyError:
        raise DatabaseUnavailableError(
            f"PostgreSQL needs an account with a name, and the user id {own} has none.",
            hints=["Run as a user that is listed in /etc/passwd."],
        ) from None
    if name not in (None, entry.pw_name):
        raise DatabaseUnavailableError(f"Only root can run PostgreSQL as {name!r}.")
    return Account(uid=own, gid=entry.pw_gid, switch={})


def _find_for_root(names: list[str]) -> Account:
    for name in names:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            if entry.pw_uid != 0:
                switch = Switch(user=entry.pw_uid, group=entry.pw_gid, extra_groups=[])
                return Account(uid=entry.pw_uid, gid=entry.pw_gid, switch=switch)
    raise DatabaseUnavailableError(
        f"PostgreSQL does not run as root, and there is no other account {' or '.join(names)}.",
        hints=["Name an account that exists, or do not run as root."],
    )
