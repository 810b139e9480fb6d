"""`pgauthkit migrate resolve`, `drift` and `reset`: told to people and to programs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from pgauthkit.ops.migrate.deployment import deploy
from pgauthkit.ops.server.presence import database_name

if TYPE_CHECKING:
    from tests.cli.conftest import Blog


def run(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


class TestResolve:
    def test_baseline(self, blog: Blog) -> None:
        """A revision whose table exists already is recorded as applied."""
        blog.migrate("new", "-m", "Add posts")
        run(blog.url, "CREATE TABLE posts (id int PRIMARY KEY, title varchar NOT NULL, author_id text NOT NULL)")
        (path,) = (blog.path / "migrations" / "versions").glob("*.py")
        id_ = path.name.split("_")[1]

        result = blog.migrate("resolve", "--applied", id_)

        assert (result.exit_code, result.stdout) == (0, f"Recorded {id_} as applied; it was pending.\n")
        assert blog.migrate("status").exit_code == 0

    def test_rolled_back(self, blog: Blog) -> None:
        """What was undone by hand is recorded so, for programs too."""
        run(blog.url, "DELETE FROM pgauthkit.alembic_version")

        result = blog.migrate("resolve", "--rolled-back", "0001", "--json")

        assert json.loads(result.stdout) == {"track": "bundled", "revision": "0001", "was": "pending"}

    @pytest.mark.parametrize("options", [[], ["--applied", "0001", "--rolled-back", "0001"]])
    def test_one_of_both(self, blog: Blog, options: list[str]) -> None:
        """Neither, or both, is wrong use."""
        assert blog.migrate("resolve", *options).exit_code == 2


class TestDrift:
    def test_none(self, blog: Blog) -> None:
        """Without drift the exit code is 0."""
        blog.migrate("dev", "-m", "Add posts")

        result = blog.migrate("drift")

        assert (result.exit_code, result.stdout) == (
            0,
            "No drift. The database is what its migrations make of it.\n",
        )

    def test_told(self, blog: Blog) -> None:
        """Each difference is told with both definitions and the two ways out; exit code 1."""
        blog.migrate("dev", "-m", "Add posts")
        run(blog.url, "ALTER TABLE posts ALTER title DROP NOT NULL")

        result, as_json = blog.migrate("drift"), blog.migrate("drift", "--json")

        assert (result.exit_code, as_json.exit_code) == (1, 1)
        assert result.stdout.startswith(
            "The column public.posts.title is different.\n"
            "  migrations: character varying NOT NULL\n  database:   character varying\n"
            "  To keep it so: write a migration that makes it the same"
        )
        (found,) = json.loads(as_json.stdout)
        assert (found["kind"], found["name"]) == ("column", "public.posts.title")
        assert len(found["ways_out"]) == 2


class TestReset:
    def test_forced(self, blog: Blog) -> None:
        """With the database's name given, everything is dropped and deployed again."""
        blog.migrate("dev", "-m", "Add posts")
        run(blog.url, "INSERT INTO pgauthkit.users (id, email) VALUES ('a', 'ada@example.com')")

        result = blog.migrate("reset", "--force", database_name(blog.url))

        assert result.exit_code == 0
        assert result.stdout.startswith("Emptied pgauthkit, public, and applied 0001, ")
        assert blog.migrate("status").exit_code == 0

    def test_json(self, blog: Blog) -> None:
        """For programs there is JSON; a folder of migrations that is not there yet is told of beside it."""
        result = blog.migrate("reset", "--json", "--force", database_name(blog.url))

        values = json.loads(result.stdout)
        assert "There is no folder migrations yet" in result.stderr

        assert values["schemas"] == ["pgauthkit"]
        assert values["applied"] == ["0001", "0002", "0003", "0004", "0005"]

    def test_nobody_to_ask(self, blog: Blog) -> None:
        """Where nobody can be asked for the name, it is refused: wrong use."""
        result = blog.migrate("reset")

        assert result.exit_code == 2
        assert "give --force NAME" in result.stderr

    def test_asked(self, blog: Blog) -> None:
        """Somebody at the keyboard is asked for the name, and another name than the database's is refused."""
        (blog.path / "pyproject.toml").unlink()
        name = database_name(blog.url)

        for answer, expected in (("blog", 1), (name, 0)):
            keyboard, terminal = pty.openpty()
            os.write(keyboard, f"{answer}\n".encode())
            command = [sys.executable, "-m", "pgauthkit", "migrate", "reset"]
            environment = {**os.environ, "DATABASE_URL": blog.url}
            done = subprocess.run(
                command, stdin=terminal, capture_output=True, text=True, env=environment, cwd=blog.path, check=False
            )
            os.close(keyboard)
            os.close(terminal)
            assert done.returncode == expected
            assert f'"{name}"' in done.stdout + done.stderr

    def test_production(self, blog: Blog) -> None:
        """Production is refused, by name and all, unless forced."""
        result = blog.migrate("reset", "--force", "blog", PGAUTHKIT_ENV="production")

        assert result.exit_code == 1
        assert 'not "blog"' in result.stderr


def test_direct_url(blog: Blog) -> None:
    """DIRECT_URL goes before DATABASE_URL, and that is said."""
    deploy(blog.url)
    (blog.path / "pyproject.toml").unlink()

    result = blog.migrate("status", DATABASE_URL="postgresql://127.0.0.1:1/pooler", DIRECT_URL=blog.url)

    assert result.exit_code == 0
    assert "Using DIRECT_URL" in result.stderr
