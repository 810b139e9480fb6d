"""Whether models and a database agree, asked of a new interpreter."""

import subprocess
import sys
from pathlib import Path

from pgauthkit.ops.migrate.scaffold import scaffold


def difference_elsewhere(url: str, project: Path, models: str) -> str:
    """Return what `migrate new` says and writes, in an interpreter of its own: what is on our Base stays there."""
    scaffold(project, models=models)
    code = (
        "import sys, pathlib, warnings; warnings.simplefilter('ignore'); sys.path.insert(0, '.')\n"
        "from pgauthkit.ops.migrate.deployment import deploy\n"
        "from pgauthkit.ops.migrate.authoring import new_revision\n"
        "from pgauthkit.ops.revisions.tracks import host_track\n"
        "track = host_track(pathlib.Path.cwd(), 'migrations')\n"
        "deploy(sys.argv[1], host=track)\n"
        "written = new_revision(sys.argv[1], track, 'Nothing', on_by_hand=lambda told: print(*told, sep='\\n'))\n"
        "print(written and written.read_text())\n"
    )
    env = project / "migrations" / "env.py"
    env.write_text(env.read_text().replace(".metadata)", ".metadata, include_schemas=True)"))
    command = [sys.executable, "-c", code, url]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout
