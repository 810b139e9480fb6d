"""The server's own limit: pgbench with the least statement that finds a token, as C code without a library around."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.block import Order, answer, asked, order
from benchmarks.contenders.scene import Scene
from pgauthkit.hashing import FOUND_BY_BYTES, KEPT_BYTES

__all__ = ["main"]

# The key is computed by the server, which takes it a few microseconds.
SCRIPT: Final = rf"""\set i random(0, :sessions - 1)
SELECT s.id, s.user_id, u.email, u.role, s.authenticated_at, s.access_expires_at
FROM pgauthkit.sessions s JOIN pgauthkit.users u ON u.id = s.user_id
WHERE s.selector_hash = substr(sha256('selector\000'::bytea || substr(sha256(
    'at'::bytea || substr(sha256(convert_to('selector ' || :i, 'UTF8')), 1, 16)), 1, 16)), 1, {FOUND_BY_BYTES})
  AND s.access_token_hash = substr(sha256('access\000'::bytea || '\x000000000000'::bytea
    || sha256(convert_to('access ' || :i, 'UTF8'))), 1, {KEPT_BYTES})
  AND s.revoked_at IS NULL AND u.is_active AND s.access_expires_at > now();
"""  # noqa: S608 - two numbers of ours
FIRST: Final = 200  # transactions of each client, to learn how many go into a block


def main(given: Order) -> None:
    """Serve authenticate."""
    scene = Scene.of(given)
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "authenticate.sql"
        script.write_text(SCRIPT, encoding="utf-8")
        rate = _run(scene, script, given.clients, FIRST)
        for seconds in asked():
            count = max(int(rate * seconds / given.clients), 20)
            rate = _run(scene, script, given.clients, count)
            answer(operations=count * given.clients, seconds=count * given.clients / rate)


def _run(scene: Scene, script: Path, clients: int, count: int) -> float:
    """Return the transactions a second."""
    program = os.environ["PGBENCH"]
    size = ("-c", str(clients), "-j", str(min(clients, 2)), "-t", str(count), "-D", f"sessions={scene.sessions}")
    command = [program, "-n", "-M", "prepared", "-f", str(script), *size, scene.url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    found = re.search(r"tps = ([0-9.]+) \(without", done.stdout)
    if not found:
        raise SystemExit(done.stdout)
    return float(found[1])


if __name__ == "__main__":
    main(order())
