"""`pgauthkit pull`, and what else reads tables without models, called as from a shell."""

import re
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from pgauthkit.cli import main


@pytest.fixture
def url(pgauthkit_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with two tables, and an empty directory to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", pgauthkit_url)
    with psycopg.connect(pgauthkit_url, autocommit=True) as connection:
        connection.execute("CREATE TYPE pair AS (a int, b int)")
        connection.execute("CREATE TABLE posts (id int PRIMARY KEY, by text REFERENCES pgauthkit.users)")
        connection.execute("CREATE SCHEMA shop CREATE TABLE carts (id int PRIMARY KEY, size pair)")
    return pgauthkit_url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.usefixtures("url")
class TestPull:
    def test_printed(self) -> None:
        """The module is printed, and what SQLAlchemy does not know is said beside it."""
        result = run("pull")

        assert result.exit_code == 0
        assert result.stdout.startswith('"""Models')
        assert "class Post(Base)" in result.stdout
        assert "Did not recognize type" in result.stderr
        assert "size = Column('size', NullType)" in result.stdout

    def test_written(self, tmp_path: Path) -> None:
        """It is written to a file that is not there yet; one that is stays as it is."""
        result = run("pull", "--schema", "shop", "--base", "pgauthkit", "--out", "models.py")
        text = (tmp_path / "models.py").read_text()

        assert result.stdout == "Wrote models.py: 1 table.\n"
        assert "class Cart(Base)" in text
        assert "from pgauthkit.models import Base" in text
        again = run("pull", "--out", "models.py")
        assert again.exit_code == 1
        assert "File exists" in again.stderr
        assert (tmp_path / "models.py").read_text() == text
        assert run("pull", "--out", "all.py").stdout == "Wrote all.py: 2 tables.\n"

    def test_nothing_there(self) -> None:
        """A schema without tables is refused."""
        result = run("pull", "--schema", "till")

        assert result.exit_code == 1
        assert "there is no table in till" in result.stderr

    def test_erd(self) -> None:
        """A diagram is drawn of what the database has, and of ours."""
        result = run("erd", "--reflect")

        assert result.exit_code == 0
        assert '"shop.carts" {' in result.stdout
        assert re.search(r'"pgauthkit.users" \|o\.\.o\{ "posts"', result.stdout)
        assert result.stdout.count('"pgauthkit.users" {') == 1
