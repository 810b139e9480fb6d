"""The two tracks of revisions, ours and the host's: where they are, and which follows which."""

import warnings
from argparse import Namespace
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Final, Literal, TypeAlias

import attrs
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from pgauthkit.errors import ConfigError, MigrationError
from pgauthkit.ops.project.loading import explained_loading
from pgauthkit.ops.revisions.bundled import alembic_config

__all__ = ["BUNDLED", "Revision", "Track", "TrackName", "host_track"]

# The filters of warnings are the process's: two threads that change them at once would leave those of one behind.
_FILTERS: Final = RLock()

TrackName: TypeAlias = Literal["bundled", "host"]


@attrs.frozen(kw_only=True)
class Revision:
    """One revision of a track.

    Attributes:
        id: what the version table has.
        title: the first line of its file.
        path: its file.
        parents: the revisions that must be applied before it.
    """

    id: str
    title: str
    path: Path
    parents: frozenset[str]


@attrs.frozen(kw_only=True)
class Track:
    """A line of revisions with a version table of its own.

    Attributes:
        name: `bundled` for ours, `host` for the application's.
        make_config: makes its configuration of Alembic.

    Example:
        >>> [revision.id for revision in BUNDLED.revisions()]
        ['0001', '0002', '0003', '0004', '0005']
    """

    name: TrackName
    make_config: Callable[[], Config] = attrs.field(eq=False, repr=False)

    def config(self, connection: Connection | None = None) -> Config:
        """Return Alembic's configuration for working on a connection, or for SQL that is only printed.

        An `env.py` of the host's may take the connection from `config.attributes["connection"]`, or connect on its own
        to `sqlalchemy.url`.
        """
        config = self.make_config()
        # Or Alembic prints what it does among what we print. An env.py may ask for `-x` arguments: there are none.
        config.cmd_opts = Namespace(quiet=True, x=None)
        url = "postgresql+psycopg://"
        if connection is not None:
            config.attributes["connection"] = connection
            url = connection.engine.url.render_as_string(hide_password=False)
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        return config

    def revisions(self) -> tuple[Revision, ...]:
        """Return all revisions, the oldest first.

        Raises:
            MigrationError: a file cannot be loaded, has the revision of another, or follows one that does not exist.
        """
        script = ScriptDirectory.from_config(self.config())
        with explained_loading("A revision"), _fitting():
            return tuple(_revision(script, found) for found in script.walk_revisions())[::-1]

    def heads(self) -> tuple[str, ...]:
        """Return the revisions that no other follows: one as a rule, and more where branches have added one each."""
        revisions = self.revisions()
        followed = {parent for revision in revisions for parent in revision.parents}
        return tuple(sorted({revision.id for revision in revisions} - followed))

    def applied(self, heads: Iterable[str]) -> frozenset[str]:
        """Return the revisions that a database with these heads has: they, and all before them."""
        known = {revision.id: revision for revision in self.revisions()}
        found: set[str] = set()
        waiting = [head for head in heads if head in known]
        while waiting:
            revision = known[waiting.pop()]
            found.add(revision.id)
            waiting += revision.parents - found
        return frozenset(found)


BUNDLED: Final = Track(name="bundled", make_config=alembic_config)


def host_track(project: Path, migrations: str | None = None) -> Track | None:
    """Return the track of an application, or None where it has none.

    Args:
        project: its directory. An `alembic.ini` in it is used as it is.
        migrations: the folder of the migrations, seen from the project; it goes before the `alembic.ini`.

    Raises:
        ConfigError: the folder has no `env.py`.

    Example:
        >>> host_track(Path("/srv/blog"), "migrations")  # doctest: +SKIP
        Track(name='host')
    """
    ini = project / "alembic.ini"
    if migrations is not None:
        folder = project / migrations
        if not (folder / "env.py").is_file():
            raise ConfigError(
                [f"migrations: {migrations} has no env.py; `pgauthkit migrate init` makes one, and the folder."]
            )
        return Track(name="host", make_config=lambda: _folder_config(folder))
    return Track(name="host", make_config=lambda: Config(ini)) if ini.is_file() else None


@contextmanager
def _fitting() -> Generator[None]:
    """Raise our error where Alembic only warns: of two files with one revision it takes either."""
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("error", r"Revision \S+ (is present more than once|referenced from )", UserWarning)
        try:
            yield
        except UserWarning as error:
            sentence = str(error)
            revision = sentence.split()[1]
            if sentence.endswith("more than once"):
                raise MigrationError(f"Two files have the revision {revision}: give one of them another.") from error
            raise MigrationError(
                f"No file has the revision {revision}, which another follows: add it, or correct `down_revision` there."
            ) from error


def _folder_config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(rev)s_%%(slug)s")
    return config


def _revision(script: ScriptDirectory, found: Script) -> Revision:
    named = (*_several(found.down_revision), *_several(found.dependencies))
    parents = frozenset(parent.revision for name in named for parent in script.get_revisions(name))
    return Revision(id=found.revision, title=found.doc, path=Path(found.path), parents=parents)


def _several(names: str | Iterable[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())
