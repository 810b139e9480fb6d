"""The form of the findings, which run outside this suite with `make findings`."""

import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_finding_has_its_form(script: Path) -> None:
    """Its head names versions, guess, behaviour and output; it works in a temporary folder, without this library."""
    text = script.read_text()
    head = text.partition("set -euo pipefail")[0]
    assert os.access(script, os.X_OK)
    assert re.search(r"\d+\.\d+", head.splitlines()[1])
    assert [word for word in ("# Guess: ", "# Behaviour: ", "# Output seen:") if word not in head] == []
    assert "mktemp -d" in text
    assert "pgauthkit" not in text


def test_the_readme_lists_each_finding_once() -> None:
    """The table has a line for each script, and no other."""
    named = re.findall(r"^\| \[([\w-]+)\]\(\1\.sh\) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert named == [script.stem for script in SCRIPTS]
