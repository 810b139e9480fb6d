"""`crontab_line`: a line that cron and its shell read as it was meant."""

import subprocess
from pathlib import Path

import pytest

from pgauthkit.errors import ConfigError
from pgauthkit.ops.dump.schedule import NIGHTLY, crontab_line


def test_shell_reads_it(tmp_path: Path) -> None:
    """Strange names reach the program as they are, once cron has taken its own escapes out."""
    strange = tmp_path / "50% of it's\there"
    strange.mkdir()
    seen = strange / "it was 100%"

    line = crontab_line(["sh", "-c", f"pwd > '{seen.name}'; echo said"], directory=strange)

    assert line.startswith(f"{NIGHTLY} cd ")
    assert "%" not in line.replace(r"\%", "")
    command = line.removeprefix(f"{NIGHTLY} ").replace(r"\%", "%")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, Path(seen.read_text().rstrip("\n"))) == ("", strange)


def test_line_break() -> None:
    """A line break, which a crontab cannot have, is refused."""
    with pytest.raises(ConfigError, match="no line break"):
        crontab_line(["pgauthkit", "backup", "--dir", "a\nb"], directory=Path("/srv"))
