"""What it was measured on: enough to compare two runs, and nothing that tells whose machine it was."""

import json
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.before import ROOT
from benchmarks.databases import connected
from benchmarks.entrants import NODE_READY, PEERS_NODE, PEERS_PYTHON

__all__ = ["described"]

_HERE: Final = ("pgauthkit", "psycopg", "SQLAlchemy")
_PYTHON: Final = ("advanced-alchemy", "Django", "fastapi-users", "asyncpg")
_NODE: Final = ("prisma", "better-auth", "pg")


def described(url: str, before: str) -> dict[str, object]:
    """Return the line that begins the results; `url` is of the server, `before` the other build."""
    with connected(url) as connection:
        server = connection.execute("SELECT current_setting('server_version')").fetchone()
    return {
        "kind": "machine",
        "commit": _commit(),
        "before": before,
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "PostgreSQL": server and server[0],
        "Python": platform.python_version(),
        **{name: version(name) for name in _HERE},
        **_of_python(),
        **_of_node(),
    }


def _of_python() -> dict[str, object]:
    if not PEERS_PYTHON.exists():
        return {}
    code = (
        f"import json; from importlib.metadata import version; print(json.dumps({{n: version(n) for n in {_PYTHON}}}))"
    )
    found: dict[str, object] = json.loads(_said(str(PEERS_PYTHON), "-c", code))
    return found


def _of_node() -> dict[str, object]:
    node = shutil.which("node")
    if not node or not NODE_READY.exists():
        return {}
    manifests = {name: PEERS_NODE / "node_modules" / name / "package.json" for name in _NODE}
    found = {name: json.loads(path.read_text(encoding="utf-8"))["version"] for name, path in manifests.items()}
    return {"Node": _said(node, "--version").strip().removeprefix("v"), **found}


def _commit() -> str:
    try:
        return _said("git", "-C", str(ROOT), "describe", "--always", "--dirty").strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - known programs


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
