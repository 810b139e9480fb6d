"""`pgauthkit dev-db`, called as from a shell."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from pgauthkit.cli.dev_db import dev_db
from pgauthkit.database import guard
from pgauthkit.errors import DatabaseUnavailableError


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pgak-test-", dir="/tmp", ignore_cleanup_errors=True) as name:
        place = Path(name).resolve()
        place.chmod(0o755)
        (place / "pyproject.toml").touch()
        (place / "src").mkdir()
        yield place
        guard.end(place / ".pgauthkit/dev-db/server")


def call(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(dev_db, arguments, input=answer)


def said(result: Result) -> tuple[int, str]:
    return result.exit_code, result.output


class TestDevDb:
    def test_a_day_with_it(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Start, use, stop and reset say what they did, from any folder of the project, and never the password."""
        monkeypatch.chdir(project / "src")
        call("stop")
        started = call("start")
        port = json.loads(call("status", "--json").output)["port"]
        address = f"PostgreSQL 16 on 127.0.0.1:{port}, database app."
        url = call("url").output.strip()
        assert f"Started: {address}" == started.output.splitlines()[0]
        assert f"Runs already: {address}" == call("start").output.splitlines()[0]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE notes (id int)")
        assert said(call("stop")) == (0, "Stopped; the data are kept.\n")
        assert said(call("stop")) == (0, "It was not running.\n")
        assert url == call("url").output.strip()
        again = call("start", "--json")
        assert (True, port) == (json.loads(again.output)["changed"], json.loads(again.output)["port"])
        reset = call("reset", answer="y\n")
        assert (0, f"Started, empty: {address}") == (reset.exit_code, reset.output.splitlines()[-1])
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT to_regclass('notes')").fetchone() == (None,)
        password = url.split(":")[2].partition("@")[0]
        assert not any(password in call(*words).output for words in (["start"], ["status"], ["status", "--json"]))

    def test_status(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Status ends with 0 when the server runs and with 1 when it does not, and says where it is."""
        monkeypatch.chdir(project)
        call("start")
        running, table = said(call("status"))
        assert json.loads(call("stop", "--json").output)["changed"]
        place = str(project / ".pgauthkit/dev-db/server")
        assert (running, place in table) == (0, True)
        assert (call("status").exit_code, call("status", "--json").exit_code) == (1, 1)
        kept = {"running": False, "changed": False, "pid": None, "major": 16, "database": "app", "directory": place}
        assert kept.items() <= json.loads(call("status", "--json").output).items()
        assert json.loads(call("reset", "--yes", "--json").output)["running"]

    def test_reset_asks(self, tmp_path: Path) -> None:
        """A reset asks first, and without a yes it ends with 1 and does nothing."""
        place = tmp_path / "dev-db"
        declined = call("reset", "--directory", str(place), answer="n\n")
        assert (declined.exit_code, place.exists()) == (1, False)
        assert declined.output.startswith(f"Delete all the data of the development server in {place}? [y/N]")

    def test_without_a_project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Outside any project the server belongs to the current directory; without one, there is no address."""
        monkeypatch.chdir(tmp_path)
        error = call("url").exception
        assert isinstance(error, DatabaseUnavailableError)
        assert str(tmp_path / ".pgauthkit/dev-db") in str(error)

    @pytest.mark.parametrize("words", [["start", "--port", "0"], ["start", "--major", "9"], ["stop", "--yes"], ["go"]])
    def test_wrong_use(self, words: list[str]) -> None:
        """Wrong use ends with 2."""
        assert call(*words).exit_code == 2

    @pytest.mark.parametrize("name", ["start", "stop", "status", "url", "reset"])
    def test_help(self, name: str) -> None:
        """The help of each command has an example."""
        assert (call(name, "--help").exit_code, f"pgauthkit dev-db {name}" in call(name, "--help").output) == (0, True)

    def test_programs_from_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """PGAUTHKIT_PG_BIN names the directory of PostgreSQL's programs, also for a reset that does not ask."""
        monkeypatch.setenv("PGAUTHKIT_PG_BIN", str(tmp_path))
        error = call("reset", "--yes", "--directory", str(tmp_path / "dev-db")).exception
        assert isinstance(error, DatabaseUnavailableError)
        assert f"{tmp_path}/postgres does not start: No such file or directory." in error.hints
