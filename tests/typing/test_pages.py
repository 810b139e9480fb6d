"""The code of the pages that show types: `mypy --strict` and pyright's strict mode find nothing in it."""

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ("how-to/models", "how-to/relations", "how-to/fastapi", "tutorial/index")
# Programs that a block writes into a file; and blocks of Python, which follow from one another.
WRITTEN: Final = re.compile(r"^cat > (\S+\.py) <<'END'\n(.*?)^END$", re.DOTALL | re.MULTILINE)
BLOCK: Final = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
MINIMUM: Final = {"how-to/models": 4, "how-to/relations": 2, "how-to/fastapi": 1, "tutorial/index": 7}


def write_out(page: str, folder: Path) -> list[str]:
    """Write the code of a page into a folder, and return the files."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = dict(WRITTEN.findall(text))
    if blocks := BLOCK.findall(text):
        found["page.py"] = "\n".join(blocks)
    for name, code in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    return sorted(found)


@pytest.mark.parametrize("page", PAGES)
def test_mypy(page: str, tmp_path: Path) -> None:
    """A page's code passes `mypy --strict`."""
    files = write_out(page, tmp_path)
    assert len(files) == MINIMUM[page]
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'pages'}"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", cache, "--no-error-summary", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_pyright(tmp_path: Path) -> None:
    """All of them pass pyright in strict mode."""
    roots = {page.replace("/", "-"): page for page in PAGES}
    for root, page in roots.items():
        write_out(page, tmp_path / root)
    environments = [{"root": root} for root in roots]
    configuration = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "executionEnvironments": environments}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(configuration))
    pyright = Path(sysconfig.get_path("scripts")) / "pyright"
    command = [str(pyright), "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    report = json.loads(done.stdout)
    told = [f"{one['file']}:{one['range']['start']['line']}: {one['message']}" for one in report["generalDiagnostics"]]
    assert told == []
    assert report["summary"]["filesAnalyzed"] == sum(MINIMUM.values())
