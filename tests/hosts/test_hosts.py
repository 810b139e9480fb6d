"""Whole hosts, each in a process of its own, since its class of users is there for good."""

import subprocess
import sys
from pathlib import Path

import pytest

from pgauthkit.testing import TestServer

HERE = Path(__file__).parent


@pytest.mark.parametrize("host", ["sqlmodel_host", "flask_host", "alchemy_host"])
def test_host(pgauthkit_server: TestServer, host: str, tmp_path: Path) -> None:
    """A host with Alembic of its own goes the whole way, and its models and repositories work beside ours."""
    project, server = HERE / host, f"--pgauthkit-url={pgauthkit_server.url('postgres')}"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(project / "pyproject.toml"), str(project), server]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
