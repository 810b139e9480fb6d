#!/usr/bin/env bash
# python-ulid 4.1.0, Python 3.11
#
# Guess: `ULID.from_timestamp` takes seconds since 1970, as time.time() and datetime.timestamp() give them, whole or not.
# Behaviour: A float is seconds, an int is milliseconds. Whoever cuts the fraction off, or reads whole seconds from JSON or from
#   extract(epoch …)::bigint, gets keys of January 1970, which sort before all others, and an index or a retention by
#   key takes them for the oldest rows. Nothing is refused. from_datetime has one meaning.
# Output seen:
#   of 1767225600.0: 2026-01-01 00:00:00+00:00
#   of 1767225600: 1970-01-21 10:53:45.600000+00:00
#   a key of the whole second sorts before one of 2020: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "python-ulid==4.1.0"
"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
from datetime import UTC, datetime

from ulid import ULID

at = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
print(f"of {at}: {ULID.from_timestamp(at).datetime}")
print(f"of {int(at)}: {ULID.from_timestamp(int(at)).datetime}")
old = ULID.from_datetime(datetime(2020, 1, 1, tzinfo=UTC))
print("a key of the whole second sorts before one of 2020:", str(ULID.from_timestamp(int(at))) < str(old))
PYTHON
diff "$folder/seen" - <<'SEEN'
of 1767225600.0: 2026-01-01 00:00:00+00:00
of 1767225600: 1970-01-21 10:53:45.600000+00:00
a key of the whole second sorts before one of 2020: True
SEEN
