"""`pgauthkit demo`, on real servers: what it tells is true, holds no secret, and suits terminals and files."""

import contextlib
import io
import os
import pty
import re
import runpy
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from rich.text import Text
from sqlalchemy import make_url

from pgauthkit.cli import main
from pgauthkit.cli.demo import CODE, NEXT
from pgauthkit.cli.demo.narrator import Narrator
from pgauthkit.cli.demo.server import foreign_server, passing_server
from pgauthkit.database import guard

PICTURE = Path(__file__).parents[3] / "docs/images/demo.svg"
STEPS = [
    "Deploy the migrations",
    "Seed an admin",
    "Ask for a link",
    "Open the link",
    "Authenticate a request",
    "Refresh from two tabs at once",
    "Replay an old refresh token",
    "Sign in again, in async code, and sign out",
    "Ask on a laptop, open the mail on a phone",
    "Look at the tables",
]
# What a terminal or a CI service may set, and what a user may have.
NEUTRAL = dict.fromkeys(["COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "DATABASE_URL"])
ADMIN = ("ada@demo.example", "ADMIN", True)


def call(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={**NEUTRAL, **environment}).invoke(main, ["demo", *arguments])


def child_environment(**environment: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name not in NEUTRAL}, **environment}


def steps_of(output: str) -> list[str]:
    headings = re.findall(r"^ ?(\d+)  (\S.*?) +[\d,]+ ms$", output, re.MULTILINE)
    assert [str(number + 1) for number in range(len(headings))] == [number for number, _title in headings]
    return [title for _number, title in headings]


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question.encode()).fetchall()


def tell(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def rows_left(url: str) -> list[tuple[object, ...]]:
    return ask(
        url,
        "SELECT (SELECT count(*) FROM pgauthkit.users), (SELECT count(*) FROM pgauthkit.magic_links),"
        " (SELECT count(*) FROM pgauthkit.sessions), (SELECT count(*) FROM pgauthkit.devices),"
        " (SELECT count(*) FROM pgauthkit.rate_limits)",
    )


@contextlib.contextmanager
def terminal() -> Generator[tuple[int, list[bytes]]]:
    """Give a terminal to write to, and all that was sent there, complete in the end."""
    ours, theirs = pty.openpty()
    sent: list[bytes] = []

    def listen() -> None:
        # Linux raises an error where nobody has the other end open any more; others have nothing left to read.
        with contextlib.suppress(OSError):
            sent.extend(iter(lambda: os.read(ours, 65536), b""))

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield theirs, sent
    finally:
        os.close(theirs)
        listener.join()
        os.close(ours)


def in_terminal(*arguments: str, **environment: str) -> str:
    """Run the demo in a terminal of 80 columns, and return all that it sent there."""
    environment = child_environment(TERM="xterm-256color", COLUMNS="80", **environment)
    command = [sys.executable, "-m", "pgauthkit", "demo", *arguments]
    with terminal() as (end, sent):
        subprocess.run(command, check=True, env=environment, stdin=end, stdout=end, stderr=end)
    return b"".join(sent).decode()


@pytest.fixture(scope="module")
def told() -> Result:
    return call()


class TestStory:
    def test_steps(self, told: Result) -> None:
        """It takes every step, in order, each with its number and its time, and ends with 0."""
        assert (told.exit_code, told.stderr) == (0, "")
        assert ["Start PostgreSQL", *STEPS, "Stop PostgreSQL"] == steps_of(told.stdout)

    def test_time(self, told: Result) -> None:
        """It tells how long it took in all, which is the sum of its steps at least."""
        total = re.search(r"^Done in ([\d.]+) s\.$", told.stdout, re.MULTILINE)
        steps = re.findall(r" ([\d,]+) ms$", told.stdout, re.MULTILINE)
        assert total
        assert float(total[1]) >= sum(int(step.replace(",", "")) for step in steps) / 1000 - 0.1

    def test_mail(self, told: Result) -> None:
        """The mail goes to the canonical address, with a masked link."""
        assert "Ada@Demo.Example means ada@demo.example" in told.stdout
        assert "│ To:      ada@demo.example  " in told.stdout
        assert "│ https://app.example.com/sign-in?token=********  " in told.stdout

    @pytest.mark.parametrize(
        "refusal",
        [
            "once more         TokenAlreadyUsedError",
            "refresh, a thief    with the first: RefreshTokenReusedError",
            "authenticate        SessionRevokedError",
        ],
    )
    def test_refusals(self, told: Result, refusal: str) -> None:
        """A second use, a replay, and the access token after it are refused, by name."""
        assert refusal in told.stdout

    def test_two_tabs(self, told: Result) -> None:
        """Both tabs show the same hashes: one rotated, the other converged."""
        tabs = re.findall(r"refresh, tab \d +access (\w{8})…, refresh (\w{8})…", told.stdout)
        assert [tabs[0], tabs[0]] == tabs
        assert "✓ Compared: the same pair for both. 1 rotated, 1 converged to it." in told.stdout

    def test_handoff(self, told: Result) -> None:
        """The number on the laptop is typed on the phone, after a wrong one, and the laptop is signed in."""
        handed = told.stdout.partition("open the mail on a phone")[2].partition("Look at")[0]
        shown = re.search(r"ask, on the laptop  it shows the number (\d\d);", handed)
        assert shown
        assert "claim, the laptop   ApprovalPendingError" in handed
        assert "peek, on the phone  asked in Firefox on Linux, from 203.0.113.7" in handed
        assert "approve, the phone  with a wrong number: InvalidCodeError" in handed
        assert f"once more         with {shown[1]}," in handed
        assert "claim, the laptop   ada@demo.example is signed in" in handed

    def test_tables(self, told: Result) -> None:
        """The admin, the links, the sessions, the devices and the buckets are shown, hashes by their first 8 digits."""
        at_rest = told.stdout.partition("Look at the tables")[2].partition("✓")[0]
        clock = r"\d\d:\d\d:\d\d UTC"
        assert len(re.findall(rf" \w{{8}}…  ada@demo\.example  ADMIN  {clock}$", at_rest, re.MULTILINE)) == 1
        assert len(re.findall(rf" ada@demo\.example  [0-9a-f]{{8}}…   {clock}  {clock}$", at_rest, re.MULTILINE)) == 3
        assert len(re.findall(rf" [0-9a-f]{{8}}… +[0-9a-f]{{8}}… +{clock}$", at_rest, re.MULTILINE)) == 2
        assert len(re.findall(r" [0-9a-f]{8}… +[0-9a-f]{8}… +None$", at_rest, re.MULTILINE)) == 1
        assert len(re.findall(rf"^ {{24}}[0-9a-f]{{8}}…   {clock}$", at_rest, re.MULTILINE)) == 3
        assert len(re.findall(rf"^ {{24}}[0-9a-f]{{8}}…  {clock}$", at_rest, re.MULTILINE)) == 4

    def test_search(self, told: Result) -> None:
        """No secret of links, pairs, devices and a handoff is in the tables; the search would have found them."""
        assert "✓ Searched every column of 14 rows for the 17 secrets issued: none found." in told.stdout
        assert "✓ The same search finds the hashes of 15 of them; 2 were rotated away." in told.stdout

    def test_no_secret(self, told: Result) -> None:
        """No token is in the output, of whatever kind."""
        assert "pgak_" not in told.output

    def test_lines(self, told: Result) -> None:
        """In a file there are no escape codes, no lines over 80 columns, and no blanks at their end."""
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", told.stdout)
        assert [line for line in told.stdout.splitlines() if len(line) > 80 or line != line.rstrip()] == []

    def test_closing_words(self, told: Result) -> None:
        """It ends with code to copy and the commands that come next."""
        assert all(f"    {line}".rstrip() in told.stdout for line in CODE.splitlines())
        assert all(command in told.stdout for command, _purpose in NEXT)

    def test_code(self, pgauthkit_url: str) -> None:
        """The code at the end does what it says."""
        host = "def send_mail(to, link):\n    global token\n    token = link.partition('?token=')[2]\n"
        program = f"{host}{CODE}\nprint(link.email, identity.email)"
        environment = child_environment(DATABASE_URL=pgauthkit_url)
        done = subprocess.run(
            [sys.executable, "-c", program], check=True, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert done.stdout == "ada@example.com ada@example.com\n"

    @pytest.mark.parametrize("command", [command for command, _purpose in NEXT])
    def test_next(self, command: str) -> None:
        """Every command that is named exists."""
        words = re.search(r"pgauthkit ([\w -]+)", command)
        assert words
        assert CliRunner().invoke(main, [*words[1].split(), "--help"]).exit_code == 0


class TestProgram:
    def test_as_a_module(self) -> None:
        """`python -m pgauthkit demo` tells the same, and how long it took."""
        command = [sys.executable, "-m", "pgauthkit", "demo"]
        done = subprocess.run(command, check=False, env=child_environment(), capture_output=True, text=True)
        assert (done.returncode, done.stderr, "pgak_" in done.stdout) == (0, "", False)
        assert ["Start PostgreSQL", *STEPS, "Stop PostgreSQL"] == steps_of(done.stdout)
        assert float(done.stdout.partition("Done in ")[2].partition(" s.")[0]) > 0

    def test_help(self) -> None:
        """The help has an example."""
        assert "Example: pgauthkit demo --keep && pgauthkit dev-db status" in call("--help").stdout

    def test_wrong_use(self) -> None:
        """A server that is given is not one to keep."""
        refused = call("--url", "postgresql://localhost/scratch", "--keep")
        assert (refused.exit_code, "--keep is for the demo's own server" in refused.stderr) == (2, True)

    def test_without_programs(self, tmp_path: Path) -> None:
        """Where there is no PostgreSQL to start, it says how to get one, and ends with 1."""
        failed = call(PGAUTHKIT_PG_BIN=str(tmp_path))
        assert (failed.exit_code, " 1  Start PostgreSQL  " in failed.stdout) == (1, True)
        assert failed.stdout.endswith("  failed\n")
        assert "pip install 'pgauthkit[embedded]'" in failed.stderr


class TestServerOfOnesOwn:
    def test_twice(self, pgauthkit_empty_url: str) -> None:
        """It may run any number of times on one database: it makes the tables once, and removes its rows."""
        runs = [call("--url", pgauthkit_empty_url) for _ in range(4)]
        applied = [re.findall(r"applied +(.+)", run.stdout) for run in runs]
        assert [run.exit_code for run in runs] == [0] * 4
        assert [["0001, 0002, 0003, 0004, 0005"], *[["nothing, all were there"]] * 3] == applied
        assert ["Connect to PostgreSQL", *STEPS, "Clean up"] == steps_of(runs[0].stdout) == steps_of(runs[1].stdout)
        assert rows_left(pgauthkit_empty_url) == [(0, 0, 0, 0, 0)]

    def test_says_what_it_makes(self, pgauthkit_empty_url: str) -> None:
        """It says that it makes a schema before it does so, then with which tables, and that they stay."""
        words = " ".join(call("--url", pgauthkit_empty_url).stdout.split())
        before, _, after = words.partition(" 2 Deploy")
        assert "The schema pgauthkit and its tables are made there, where missing, and stay." in before
        assert "The rows of ada@demo.example are removed. The tables of pgauthkit stay." in after
        made = ask(
            pgauthkit_empty_url, 'SELECT schemaname, relname FROM pg_stat_user_tables ORDER BY relname COLLATE "C"'
        )
        assert {"pgauthkit"} == {schema for schema, _table in made}
        assert f"schema pgauthkit {', '.join(str(table) for _schema, table in made)} 3 Seed" in after

    def test_others(self, pgauthkit_url: str) -> None:
        """Rows of others are neither shown nor touched."""
        grace = "INSERT INTO pgauthkit.users (id, email) VALUES ('c0', 'grace@example.com')"
        link = (
            "INSERT INTO pgauthkit.magic_links (id, token_hash, email, expires_at)"
            " VALUES ('c1', '', 'grace@example.com', now())"
        )
        tell(pgauthkit_url, f"{grace}; {link}")
        before = ask(pgauthkit_url, "SELECT u, l FROM pgauthkit.users u, pgauthkit.magic_links l")
        done = call("--url", pgauthkit_url)
        assert before == ask(pgauthkit_url, "SELECT u, l FROM pgauthkit.users u, pgauthkit.magic_links l")
        assert (done.exit_code, "grace@" in done.output, "of 14 rows" in done.output) == (0, False, True)

    def test_failure(self, pgauthkit_url: str) -> None:
        """When a step fails, it says which, ends with 1, and removes its rows all the same."""
        tell(
            pgauthkit_url,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
            "CREATE TRIGGER refuse BEFORE UPDATE ON pgauthkit.sessions FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        failed = call("--url", pgauthkit_url)
        assert (failed.exit_code, failed.stdout.split()[-1]) == (1, "failed")
        assert failed.stdout.splitlines()[-1][4:].removesuffix("failed").rstrip() == "Refresh from two tabs at once"
        assert failed.stderr == "Error: PostgreSQL refused the statement (SQLSTATE P0001, RaiseException).\n"
        assert rows_left(pgauthkit_url) == [(0, 0, 0, 0, 0)]

    def test_failure_without_tables(self, pgauthkit_empty_url: str) -> None:
        """Where there is nothing to remove after a failure, the failure is what is told."""
        narrator = Narrator(Console(file=io.StringIO()))
        with pytest.raises(ZeroDivisionError), foreign_server(narrator, pgauthkit_empty_url):
            raise ZeroDivisionError

    def test_unreachable(self) -> None:
        """A server that does not answer is told so, without the password."""
        failed = call("--url", "postgresql://ada:geheim@127.0.0.1:1/scratch")
        assert (failed.exit_code, "geheim" in failed.output) == (1, False)
        assert "Cannot reach the database at postgresql://ada:***@127.0.0.1:1/scratch" in failed.stderr


class TestServerOfItsOwn:
    def test_ends_with_a_failure(self) -> None:
        """The server that it started does not outlive a failure."""
        narrator = Narrator(Console(file=io.StringIO()))
        url = ""

        def fail() -> None:
            nonlocal url
            with passing_server(narrator, binaries=None, account=None) as url:
                ask(url, "SELECT 1")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with pytest.raises(psycopg.OperationalError):
            ask(url, "SELECT 1")


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pgak-test-", dir="/tmp", ignore_cleanup_errors=True) as name:
        place = Path(name).resolve()
        place.chmod(0o755)
        (place / "pyproject.toml").touch()
        (place / "src").mkdir()
        monkeypatch.chdir(place / "src")
        yield place
        guard.end(place / ".pgauthkit/dev-db/server")


class TestKeep:
    def test_keep(self, project: Path) -> None:
        """The project's development server answers afterwards, with all in it, and is stopped as it says."""
        told = [call("--keep"), call("--keep")]
        command = CliRunner()
        url = command.invoke(main, ["dev-db", "url"]).stdout.strip()
        assert [run.exit_code for run in told] == [0, 0]
        assert ["Start PostgreSQL", *STEPS] == steps_of(told[0].stdout) == steps_of(told[1].stdout)
        assert ask(url, "SELECT email, role, last_login_at IS NOT NULL FROM pgauthkit.users") == [ADMIN]
        assert rows_left(url) == [(1, 3, 3, 3, 4)]
        assert str(make_url(url).password) not in told[0].output
        hints = told[0].stdout.partition("Kept:")[2]
        assert 'connect             psql "$(pgauthkit dev-db url)"\n' in hints
        assert str(project / ".pgauthkit/dev-db/server") in hints
        assert re.search(r"stop +pgauthkit dev-db stop\n", hints)
        assert command.invoke(main, ["dev-db", "stop"]).stdout == "Stopped; the data are kept.\n"

    def test_outside_a_project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Outside any project the server belongs to the current directory, as that of `dev-db` does."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".pgauthkit").touch()
        failed = call("--keep")
        assert isinstance(failed.exception, SystemExit)
        assert (failed.exit_code, str(tmp_path / ".pgauthkit") in failed.stderr) == (1, True)


class TestTerminal:
    def test_colours_and_spinner(self, pgauthkit_url: str) -> None:
        """In a terminal there are colours, and a spinner that leaves nothing behind; the words are the same."""
        sent = in_terminal("--url", pgauthkit_url)
        assert all(code in sent for code in ("\x1b[1;36m", "\x1b[?25l", "⠋", "\x1b[?25h"))
        lines = Text.from_ansi(sent.replace("\r\n", "\n")).plain
        assert "pgak_" not in sent
        assert "✓ Compared: the same pair for both." in lines

    def test_no_color(self, pgauthkit_url: str) -> None:
        """Under NO_COLOR there is no escape code, in a terminal either."""
        sent = in_terminal("--url", pgauthkit_url, NO_COLOR="1")
        assert "\x1b" not in sent
        assert ["Connect to PostgreSQL", *STEPS, "Clean up"] == steps_of(sent.replace("\r\n", "\n"))

    def test_colours_in_a_file(self, pgauthkit_url: str) -> None:
        """FORCE_COLOR gives colours to a file, as CI services want it, but no spinner."""
        told = call("--url", pgauthkit_url, FORCE_COLOR="1")
        assert (told.exit_code, "\x1b[1;36m" in told.stdout) == (0, True)
        assert set("m") == set(re.findall(r"\x1b\[[\d;?]*(\w)", told.stdout))

    def test_narrow(self, pgauthkit_url: str) -> None:
        """In a window of 60 columns no line is longer, and no word is lost."""
        told = call("--url", pgauthkit_url, COLUMNS="60")
        assert (told.exit_code, [line for line in told.stdout.splitlines() if len(line) > 60]) == (0, [])
        assert "    pgauthkit migrate deploy\n      # make the tables\n" in told.stdout

    def test_wide(self, pgauthkit_url: str) -> None:
        """In a window of 200 columns it stays at 80."""
        told = call("--url", pgauthkit_url, COLUMNS="200")
        assert max(map(len, told.stdout.splitlines())) == 80

    def test_ascii(self, pgauthkit_url: str) -> None:
        """Where the output knows ASCII only, it is told in ASCII."""
        command = [sys.executable, "-m", "pgauthkit", "demo", "--url", pgauthkit_url]
        environment = child_environment(PYTHONIOENCODING="ascii")
        done = subprocess.run(command, check=True, env=environment, capture_output=True)
        assert b"    + Compared: the same pair for both." in done.stdout
        assert re.search(rb" [0-9a-f]{8}~ ", done.stdout)

    def test_ascii_spinner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A terminal that knows ASCII only gets a spinner of it."""
        monkeypatch.delenv("NO_COLOR", raising=False)
        with terminal() as (end, sent), os.fdopen(os.dup(end), "w", encoding="ascii") as file:
            narrator = Narrator(Console(file=file, width=80, force_terminal=True, color_system="standard"))
            assert narrator.run("Count", lambda: 42) == 42
        assert b"Count ~" in b"".join(sent)


class TestPicture:
    @pytest.mark.skipif(not PICTURE.exists(), reason="the documentation is not beside the tests")
    def test_picture(self) -> None:
        """The picture in the README shows this demo, holds no secret, and loads nothing from elsewhere."""
        drawn = runpy.run_path(str(PICTURE.with_name("make_demo.py")))["draw"]()
        for picture in (drawn, PICTURE.read_text(encoding="utf-8")):
            assert all(step.replace(" ", "&#160;") in picture for step in ["Start PostgreSQL", *STEPS])
            assert "pgak_" not in picture
            assert not re.search(r"url\(.?http|@import|href", picture)
