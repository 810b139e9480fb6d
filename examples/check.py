"""Tries every example as a stranger would: in an environment of its own, by the commands of its README.

    python examples/check.py DIRECTORY WHEEL [NAME…]

DIRECTORY gets the environments; WHEEL is the built pgauthkit. The commands are the README's blocks of bash, in their
order; what a README shows as text is not run.
"""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
MINUTES = 30


def commands(readme: Path) -> str:
    """Return the commands of a README as one script, which ends with the development server that it may have begun."""
    blocks = re.findall(r"^```bash\n(.*?)^```", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return "\n".join(["set -euo pipefail", "trap 'pgauthkit dev-db stop > /dev/null' EXIT", "set -v", *blocks])


def check(example: Path, place: Path, wheel: Path) -> bool:
    """Copy an example out of the repository, and do in it what its README says."""
    shutil.rmtree(place, ignore_errors=True)
    project = Path(shutil.copytree(example, place / example.name))
    venv.create(place / "venv", with_pip=True)
    constraint = place / "constraint.txt"
    constraint.write_text(f"pgauthkit @ {wheel.resolve().as_uri()}\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PGAUTHKIT_"))}
    environment["PATH"] = f"{place / 'venv' / 'bin'}{os.pathsep}{environment['PATH']}"
    environment["PIP_QUIET"] = "1"
    for name in ("DATABASE_URL", "DIRECT_URL", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        environment.pop(name, None)
    ours = {**environment, "PIP_CONSTRAINT": str(constraint)}
    upgrade = ["pip", "install", "--upgrade", "pip>=25.1"]  # knows --group
    for command, given in ((upgrade, environment), (["bash", "-c", commands(example / "README.md")], ours)):
        print(f"+ {example.name}: {command[0]}", flush=True)
        # The commands are our own READMEs'.
        if subprocess.run(command, check=False, cwd=project, env=given, timeout=MINUTES * 60).returncode:  # noqa: S603
            return False
    return True


def main(directory: str, wheel: str, *names: str) -> int:
    """Try the examples, all of them to the end, and return 1 where one failed."""
    examples = [path.parent for path in sorted(HERE.glob("*/README.md")) if not names or path.parent.name in names]
    results = {path.name: check(path, Path(directory).resolve() / path.name, Path(wheel)) for path in examples}
    for name, passed in results.items():
        print(f"{name}: {'passed' if passed else 'FAILED'}")
    return 0 if results and all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
