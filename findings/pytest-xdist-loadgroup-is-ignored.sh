#!/usr/bin/env bash
# pytest 9.2.0, pytest-xdist 3.8.0, Python 3.11
#
# Guess: with `--dist loadgroup`, tests that carry the same `xdist_group` run in one worker, so they may share a database or a port.
# Behaviour: under pytest 9.2.0 the marker has no effect and nothing is said: eight tests of one group are spread over both workers.
#   `--dist loadfile` still keeps the tests of a file together.
# Output seen:
#   loadgroup: 2 workers
#   loadfile: 1 worker
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pytest==9.2.0" "pytest-xdist==3.8.0"
mkdir "$folder/suite"
cat >"$folder/suite/test_group.py" <<'PYTHON'
import os
import time
from pathlib import Path

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_of_the_group(number, worker_id):
    Path(os.environ["WORKERS"], worker_id).touch()
    time.sleep(0.1)
PYTHON
for way in loadgroup loadfile; do
  mkdir "$folder/$way"
  (cd "$folder/suite" && WORKERS="$folder/$way" "$folder/venv/bin/pytest" --quiet -n 2 --dist "$way" >"$folder/log")
  count=$(find "$folder/$way" -type f | wc -l)
  echo "$way: $count worker$([ "$count" = 1 ] || echo s)"
done >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
loadgroup: 2 workers
loadfile: 1 worker
SEEN
