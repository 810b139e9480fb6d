"""The main command: help at once, our errors as one line, and exit codes."""

import signal
import subprocess
import sys
from importlib.metadata import version
from threading import Event

import click
import psycopg
import pytest
from click.testing import CliRunner
from tests.tracing import untraced

from pgauthkit.__main__ import main as program
from pgauthkit.cli import COMMANDS, main
from pgauthkit.ops.server.connection import engine_for
from pgauthkit.ops.server.lock import migration_lock

WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'pgauthkit migrate' AND query ~ 'pg_try_advisory_lock'
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


class TestHelp:
    def test_commands(self) -> None:
        """The help lists every command, with what it does."""
        result = CliRunner().invoke(main, ["--help"])

        assert result.exit_code == 0
        assert all(name in result.stdout and sentence in result.stdout for name, sentence in COMMANDS.items())

    @pytest.mark.parametrize(("name", "sentence"), COMMANDS.items())
    def test_same_sentence(self, name: str, sentence: str) -> None:
        """What the list says of a command is what the command says of itself."""
        command = main.get_command(click.Context(main), name)

        assert command is not None
        assert name == command.name
        assert sentence == command.get_short_help_str(limit=200)

    def test_imports_no_command(self) -> None:
        """The help imports neither a command nor Alembic, so that it is there at once."""
        code = (
            "import sys; from pgauthkit.cli import main; main(['--help'], standalone_mode=False);"
            "print([name for name in sys.modules if name.startswith(('pgauthkit.cli.', 'alembic', 'rich'))])"
        )

        assert run("-c", code).stdout.splitlines()[-1] == "['pgauthkit.cli.printable']"

    def test_version(self) -> None:
        """The version is that of the package."""
        result = CliRunner().invoke(main, ["--version"], prog_name="pgauthkit")

        assert f"pgauthkit {version('pgauthkit')}\n" == result.stdout

    def test_mistyped(self) -> None:
        """A mistyped command is wrong use, and the right one is suggested."""
        result = CliRunner().invoke(main, ["migrat"])

        assert result.exit_code == 2
        assert "migrate" in result.stderr


class TestExitCodes:
    def test_our_error(self) -> None:
        """An error of ours is a line on standard error without a traceback, and exit code 1."""
        result = CliRunner().invoke(main, ["migrate", "status", "--url", "postgresql://app@127.0.0.1:1/blog"])

        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.startswith("Error: Cannot reach the database")
        assert isinstance(result.exception, SystemExit)

    def test_password(self) -> None:
        """No password is shown in an error."""
        url = "postgresql://app:hunter2@127.0.0.1:1/blog"

        result = CliRunner().invoke(main, ["migrate", "status"], env={"DIRECT_URL": url})

        assert result.exit_code == 1
        assert "hunter2" not in result.output

    @pytest.mark.usefixtures("interruptible")
    def test_interrupted(self, pgauthkit_empty_url: str) -> None:
        """Ctrl-C ends a command with exit code 130, and one word."""
        with (
            migration_lock(engine_for(pgauthkit_empty_url)),
            psycopg.connect(pgauthkit_empty_url, autocommit=True) as observer,
        ):
            command = [sys.executable, "-m", "pgauthkit", "migrate", "deploy"]
            environment = untraced(DIRECT_URL=pgauthkit_empty_url)
            with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as waiting:
                clock = Event()
                assert any(clock.wait(0.01) or observer.execute(WAITING).fetchone() == (2,) for _ in range(6000))
                waiting.send_signal(signal.SIGINT)
                _, stderr = waiting.communicate(timeout=60)

        assert waiting.returncode == 130
        assert stderr.strip() == "cancelled"


class TestProgram:
    def test_module(self) -> None:
        """`python -m pgauthkit` is the same command."""
        assert "Usage: pgauthkit " in run("-m", "pgauthkit", "--help").stdout

    def test_in_process(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """The program runs the main command and exits with its code."""
        monkeypatch.setattr(sys, "argv", ["pgauthkit", "--version"])

        with pytest.raises(SystemExit) as caught:
            program()

        assert caught.value.code == 0
        assert f"pgauthkit {version('pgauthkit')}\n" == capsys.readouterr().out

    @pytest.mark.parametrize("missing", ["click", "rich"])
    def test_extra_not_installed(self, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without click or rich the program says how to install them, without a traceback."""
        monkeypatch.setitem(sys.modules, missing, None)

        with pytest.raises(SystemExit, match=r"pip install 'pgauthkit\[cli\]'"):
            program()
