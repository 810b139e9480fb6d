"""`pgauthkit studio`, called as from a shell."""

import re
import signal
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result
from tests.tracing import untraced

from pgauthkit.cli import main, studio as command
from pgauthkit.studio.server import Studio

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Wish(Base):
    __tablename__ = "wishes"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an application's directory, with no URL in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("DIRECT_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pyproject.toml").write_text('[tool.pgauthkit]\nmodels = "wishing:Base"\n')
    (tmp_path / "wishing.py").write_text(MODELS)
    path = sys.path[:]
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("wishing", None)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Interrupt each studio as soon as it serves, and note the addresses that a browser is told to open."""
    opened: list[str] = []

    def interrupted(self: Studio) -> None:
        self.stop()
        serve(self)
        raise KeyboardInterrupt

    class Now(Thread):
        def start(self) -> None:
            self.run()

    serve = Studio.serve
    monkeypatch.setattr(Studio, "serve", interrupted)
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(command, "Thread", Now)
    return opened


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["studio", *arguments])


def test_tables_without_models(stopped: list[str], pgauthkit_url: str) -> None:
    """With --reflect the tables of the database are shown, whatever models there are."""
    with psycopg.connect(pgauthkit_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE notes (id int PRIMARY KEY, by text REFERENCES pgauthkit.users)")

    result = run("--url", pgauthkit_url, "--port", "0", "--reflect")

    assert result.exit_code == 0
    assert "Left out" not in result.stdout
    assert len(stopped) == 1


class TestStudio:
    def test_the_address_is_printed_and_opened(self, stopped: list[str], pgauthkit_url: str) -> None:
        """The address is printed and opened in a browser, and Ctrl-C ends the studio."""
        result = run("--url", pgauthkit_url, "--port", "0")
        *left_out, told, url, end = result.stdout.splitlines()

        assert result.exit_code == 0
        assert "Left out: Wish, as the database has no table wishes." in left_out
        assert told.startswith("The studio is read only.")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", url)
        assert end == "Stopped."
        assert stopped == [url]

    def test_no_browser(self, stopped: list[str], pgauthkit_url: str) -> None:
        """With --no-open no browser is opened, and with --write the studio says that it writes."""
        result = run("--url", pgauthkit_url, "--port", "0", "--no-open", "--write", "--host", "localhost")

        assert "The studio writes." in result.stdout
        assert "http://localhost:" in result.stdout
        assert stopped == []

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])  # noqa: S104 - refused
    def test_another_host(self, pgauthkit_url: str, host: str) -> None:
        """An address that others reach is refused."""
        result = run("--url", pgauthkit_url, "--host", host, "--no-open")

        assert result.exit_code == 1
        assert f"{host} is not an address of the loopback" in result.stderr

    def test_a_taken_port(self, pgauthkit_url: str) -> None:
        """A taken port is told, with the option that helps."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            result = run("--url", pgauthkit_url, "--port", str(taken.getsockname()[1]), "--no-open")

        assert result.exit_code == 1
        assert "Give another --port." in result.stderr

    def test_no_url(self) -> None:
        """Without a URL the command was used wrongly."""
        assert run().exit_code == 2

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the extra the message says how to install it."""
        monkeypatch.setattr(command, "find_spec", lambda _name: None)
        result = run("--url", "postgresql://localhost/nothing")

        assert result.exit_code == 1
        assert "pip install 'pgauthkit[cli,studio]'" in result.stderr

    def test_help(self) -> None:
        """The help has an example."""
        assert "Example: DATABASE_URL=" in run("--help").stdout

    @pytest.mark.usefixtures("interruptible")
    def test_a_process(self, pgauthkit_url: str, project: Path) -> None:
        """From a shell it answers at the address that it printed, and Ctrl-C ends it with exit code 0."""
        environment = untraced(DATABASE_URL=pgauthkit_url)
        arguments = [sys.executable, "-m", "pgauthkit", "studio", "--port", "0", "--no-open"]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment, cwd=project) as process:
            output: Any = process.stdout
            address = next(line for line in output if line.startswith("http")).strip()
            with httpx.Client(follow_redirects=True, timeout=60) as http:
                answer = http.get(address)
            process.send_signal(signal.SIGINT)
            rest = output.read()

        assert answer.status_code == 200
        assert "pgauthkit studio" in answer.text
        assert (process.returncode, rest) == (0, "Stopped.\n")
