"""`pgauthkit migrate sql` and `rollback`: what is shown first, and what is asked."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Blog

ADA = "INSERT INTO pgauthkit.users (id, email) VALUES ('a', 'ada@example.com')"
POSTS = "INSERT INTO public.posts (id, title, author_id) VALUES (1, 'x', 'a'), (2, 'y', 'a')"


def run(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def on_a_terminal(blog: Blog, answer: str, *arguments: str) -> tuple[int, str]:
    """Run the command with somebody at the keyboard."""
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "pgauthkit", "migrate", *arguments]
    environment = {**os.environ, "DATABASE_URL": blog.url}
    os.write(keyboard, f"{answer}\n".encode())
    done = subprocess.run(
        command,
        stdin=terminal,
        capture_output=True,
        text=True,
        env=environment,
        cwd=blog.path,
        check=False,
        timeout=300,
    )
    os.close(keyboard)
    os.close(terminal)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def posts(blog: Blog) -> Blog:
    """An application with one revision, deployed, and two posts."""
    assert blog.migrate("dev", "-m", "Add posts").exit_code == 0
    run(blog.url, ADA)
    run(blog.url, POSTS)
    return blog


class TestSql:
    def test_pending(self, new_blog: Blog) -> None:
        """What a deployment would run is printed, ours first; `--track` leaves the other out."""
        new_blog.migrate("deploy", "--json")
        new_blog.migrate("new", "-m", "Add posts")

        both, ours = new_blog.migrate("sql"), new_blog.migrate("sql", "--track", "bundled")

        assert "CREATE TABLE posts" in both.stdout
        assert (both.exit_code, ours.stdout) == (0, "")

    def test_range(self, posts: Blog) -> None:
        """A range needs no database: up, down, or of our track."""
        up = posts.migrate("sql", "base:", DATABASE_URL="")
        ours = posts.migrate("sql", "0001:base", "--track", "bundled", DATABASE_URL="")

        assert "CREATE TABLE posts" in up.stdout
        assert "DROP TABLE pgauthkit.users" in ours.stdout

    def test_a_host_without_migrations(self, blog: Blog) -> None:
        """Where the application has no migrations, `--track host` prints none of ours: wrong use."""
        (blog.path / "pyproject.toml").write_text("")

        result = blog.migrate("sql", "base:", "--track", "host")

        assert (result.exit_code, result.stdout) == (2, "")
        assert "The application has no migrations here" in result.stderr

    def test_no_range(self, posts: Blog) -> None:
        """One revision alone is no range."""
        result = posts.migrate("sql", "0001")

        assert result.exit_code == 1
        assert "FROM:TO" in result.stderr

    def test_lint(self, posts: Blog) -> None:
        """`--lint` tells the steps that are not safe, with the safe form; exit code 1."""
        posts.add("subtitle: Mapped[str] = mapped_column(index=True)")
        posts.migrate("new", "-m", "Add a subtitle")

        result = posts.migrate("sql", "--lint")
        as_json = posts.migrate("sql", "--lint", "--json")

        assert result.exit_code == 1
        assert "adding-required-field" in result.stderr
        assert "Use `concurrently` to avoid blocking writes." in result.stderr
        (script,) = json.loads(as_json.stdout)
        assert [one["rule"] for one in script["findings"]] == [
            "adding-required-field",
            "require-concurrent-index-creation",
        ]

    def test_lint_finds_nothing(self, posts: Blog) -> None:
        """Where nothing is pending that is said, and the exit code is 0."""
        result, as_json = posts.migrate("sql", "--lint"), posts.migrate("sql", "--lint", "--json")

        assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "Nothing is pending.")
        assert (as_json.exit_code, as_json.stdout) == (0, "[]\n")


class TestRollback:
    def test_sql(self, posts: Blog) -> None:
        """`--sql` prints the statements, and does nothing."""
        result = posts.migrate("rollback", "-1", "--sql")
        as_json = json.loads(posts.migrate("rollback", "--sql", "--json").stdout)

        assert "DROP TABLE posts" in result.stdout
        assert as_json["losses"] == [{"what": "posts", "rows": 2}]
        assert posts.migrate("status").exit_code == 0

    def test_more_than_there_are(self, posts: Blog) -> None:
        """More than are applied is refused, with `--sql` too, and nothing is printed that could be run."""
        for options in (["--sql"], ["--yes"]):
            result = posts.migrate("rollback", "-5", *options)
            assert (result.exit_code, result.stdout) == (1, "")
            assert "Only 1 is applied" in result.stderr

    def test_yes(self, posts: Blog) -> None:
        """`-1` undoes the last revision; what is lost is told with its count."""
        result = posts.migrate("rollback", "-1", "--yes")

        assert result.exit_code == 0
        assert result.stdout.startswith("Saved backups/")
        assert "\nUndone: " in result.stdout
        assert "2 rows of posts will be lost." in result.stderr
        assert posts.migrate("status").exit_code == 1

    def test_json(self, posts: Blog) -> None:
        """For programs there is JSON."""
        values = json.loads(posts.migrate("rollback", "base", "--yes", "--json", "--backup-dir", "kept").stdout)

        assert values["backup"].startswith("kept/")
        assert values["track"] == "host"
        assert values["losses"] == [{"what": "posts", "rows": 2}]

    def test_untold(self, posts: Blog) -> None:
        """Where the way down cannot be written out, it is said that the loss is not known."""
        (path,) = (posts.path / "migrations" / "versions").glob("*.py")
        text = path.read_text()
        head, _, tail = text.partition("def downgrade() -> None:\n")
        path.write_text(f"{head}def downgrade() -> None:\n    op.get_bind().execute(sa.text('SELECT 1')).one()\n{tail}")

        result = posts.migrate("rollback", "--yes", "--no-backup")

        assert (result.exit_code, (posts.path / "backups").exists()) == (0, False)
        assert "What will be lost cannot be determined" in result.stderr

    def test_rehearse(self, posts: Blog) -> None:
        """`--rehearse` goes down and up on a copy, and leaves the database as it is."""
        result = posts.migrate("rollback", "-1", "--rehearse")
        as_json = json.loads(posts.migrate("rollback", "--rehearse", "--json").stdout)

        assert result.stdout.startswith("Rehearsed on a copy of ")
        assert "2 rows of posts will be lost." in result.stderr
        assert set(as_json["seconds"]) == {"copying", "down", "up"}
        assert posts.migrate("status").exit_code == 0

    def test_mistyped(self, posts: Blog) -> None:
        """An option that does not exist is no revision: wrong use."""
        result = posts.migrate("rollback", "--yess")

        assert result.exit_code == 2
        assert "No such option" in result.stderr

    def test_nobody_to_ask(self, posts: Blog) -> None:
        """Where nobody can be asked, it is refused: wrong use."""
        result = posts.migrate("rollback", "-1")

        assert result.exit_code == 2
        assert "give --yes" in result.stderr

    def test_asked(self, posts: Blog) -> None:
        """Somebody at the keyboard is asked: a no cancels, and a yes undoes."""
        code, output = on_a_terminal(posts, "n", "rollback", "-1")
        assert code == 130, output
        assert " of the application? [y/N]" in output
        assert posts.migrate("status").exit_code == 0

        code, output = on_a_terminal(posts, "y", "rollback", "-1")

        assert code == 0
        assert "Undone" in output
