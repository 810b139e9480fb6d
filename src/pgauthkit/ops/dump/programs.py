"""`pg_dump`, `pg_restore` and `psql`: those of this machine, or those inside a container."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs

from pgauthkit.database.binaries import find_directories
from pgauthkit.errors import ConfigError
from pgauthkit.ops.dump.address import Address

__all__ = ["Programs", "find_programs", "first_error"]

_ENGINES: Final = ("podman", "docker")
# The first minor release, of each major one, whose psql knows \restrict; from 18 all do:
# https://www.postgresql.org/support/security/CVE-2025-8714/
_RESTRICTS: Final = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}


@attrs.frozen(kw_only=True)
class Programs:
    """A set of PostgreSQL's programs of one version.

    Attributes:
        version: such as `16.14`.
        directory: where they are; None inside a container.
        inside: the words that run a program inside a container; none for this machine.
    """

    version: str
    directory: Path | None = None
    inside: tuple[str, ...] = ()

    @property
    def major(self) -> int:
        """The major version, such as 16."""
        return int(re.split(r"\D", self.version)[0])  # Of 19beta1 as well.

    @property
    def restricts(self) -> bool:
        """Whether psql can be kept from running programs that a dump names."""
        minor = re.match(r"\d+\.(\d+)", self.version)
        return self.major > max(_RESTRICTS) or (minor is not None and int(minor[1]) >= _RESTRICTS.get(self.major, 99))

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the words that run a program."""
        return [*self.inside, str(self.directory / program) if self.directory else program, *arguments]

    def conninfo(self, address: Address) -> str:
        """Return what a program is to connect to: in a container the server is around the corner."""
        return address.local_conninfo if self.inside else address.conninfo


def find_programs(*, container: str | None = None, binaries: Path | None = None) -> tuple[Programs, ...]:
    """Return the programs that there are, the oldest version first.

    Looks on the PATH, into the installed wheels (extra `embedded`), and where the system keeps other versions.

    Args:
        container: the name of a container that has them, with PostgreSQL's server in it; podman or else docker runs
            them.
        binaries: the only directory to look into.

    Raises:
        ConfigError: there are none; there is neither podman nor docker; or the container does not answer.

    Example:
        >>> [found.major for found in find_programs()]  # doctest: +SKIP
        [15, 16, 18]
    """
    if container is not None:
        return (_in_container(container),)
    found = {found.major: found for found in _known([binaries] if binaries else _directories())}
    if not found:
        where = binaries or "the PATH"
        raise ConfigError([f"pg_dump was not found in {where}: pip install 'pgauthkit[embedded]', or --binaries DIR."])
    return tuple(found[major] for major in sorted(found))


def first_error(output: str) -> str:
    r"""Return the first error in what a program said, without the lines below it, which may have rows in them.

    Example:
        >>> first_error("pg_restore: error: COPY failed\nCONTEXT: COPY users, line 1")
        'pg_restore: error: COPY failed'
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    wrong = (line for line in lines if re.search(r"\b(error|fatal):", line, re.IGNORECASE))
    return next(wrong, lines[-1] if lines else "it said nothing")


def _directories() -> list[Path]:
    # Reversed, so that of two of one major version the PATH's is taken.
    on_path = [Path(program).parent for program in [shutil.which("pg_dump")] if program]
    return [*find_directories()[::-1], *on_path]


def _known(directories: Iterable[Path]) -> list[Programs]:
    versions = {place: _version([str(place / "pg_dump")])[0] for place in directories}
    return [Programs(version=version, directory=place) for place, version in versions.items() if version]


def _in_container(name: str) -> Programs:
    engine = next(filter(None, map(shutil.which, _ENGINES)), None)
    if engine is None:
        raise ConfigError([f"container: neither {' nor '.join(_ENGINES)} is on the PATH."])
    # The value of PGPASSWORD is taken from the engine's own environment.
    inside = (engine, "exec", "-i", "-e", "PGPASSWORD", name)
    version, answer = _version([*inside, "pg_dump"])
    if version is None:
        raise ConfigError([f"container: {name} does not run pg_dump: {first_error(answer)}"])
    return Programs(version=version, inside=inside)


def _version(program: list[str]) -> tuple[str | None, str]:
    try:
        answer = subprocess.run([*program, "--version"], check=False, capture_output=True, text=True)  # noqa: S603 - found by us
    except OSError as error:
        return None, str(error)
    found = re.search(r"\(PostgreSQL\) (\d+[.\w]*)", answer.stdout)
    return found[1] if found and not answer.returncode else None, answer.stderr
