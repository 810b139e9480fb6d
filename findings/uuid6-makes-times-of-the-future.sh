#!/usr/bin/env bash
# uuid6 2025.0.1, uuid_utils 1.2.0, Python 3.11
#
# Guess: the time in a version 7 UUID is the time at which it was made, to the millisecond; keys that are made within one
#   millisecond are put in order by a counter or by what is random.
# Behaviour: uuid6 keeps them in order by adding a millisecond to the last time for every key after the first of a millisecond.
#   A process that has made 200,000 keys at once is minutes ahead of the clock, and stays there until the clock has come up:
#   whatever it makes next sorts after what other processes make later, and `uuid_extract_timestamp` of the server, paging by
#   key and deleting by age take it for a row of the future. uuid_utils counts within the millisecond and keeps to the clock.
# Output seen:
#   uuid6: more than two minutes ahead of the clock; a key made later in another process sorts later: False
#   uuid_utils: by the clock; a key made later in another process sorts later: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "uuid6==2025.0.1" "uuid_utils==1.2.0"
"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
import subprocess
import sys
import time

import uuid6
import uuid_utils

for module in (uuid6, uuid_utils):
    for _ in range(200_000):
        key = module.uuid7()
    ahead = (key.int >> 80) / 1000 - time.time()
    told = "more than two minutes ahead of the clock" if ahead > 120 else "by the clock" if ahead < 1 else f"{ahead} seconds ahead"
    later = subprocess.check_output([sys.executable, "-c", f"import {module.__name__} as it; print(it.uuid7())"], text=True)
    print(f"{module.__name__}: {told}; a key made later in another process sorts later: {str(key) < later.strip()}")
PYTHON
diff "$folder/seen" - <<'SEEN'
uuid6: more than two minutes ahead of the clock; a key made later in another process sorts later: False
uuid_utils: by the clock; a key made later in another process sorts later: True
SEEN
