"""How much memory an idle service has, and how much more a long iterator takes at most: `memory.py read 1000000`."""

import json
import os
import sys

from sqlalchemy import orm

from benchmarks.contenders.peak import megabytes
from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.errors import InvalidTokenError
from pgauthkit.repositories import UserRepository
from pgauthkit.tokens import Kind, SessionToken

__all__ = ["main"]

PAGE = 1000


def read(db: orm.Session) -> int:
    """Walk through every user, page by page."""
    repository, count, after = UserRepository(db), 0, None
    while True:
        page = repository.page(order_by="id", size=PAGE, after=after)
        count += len(page.items)
        if not page.has_next:
            return count
        after = page.end_cursor


def write(db: orm.Session, rows: int) -> int:
    """Write users from an iterator, and take them back."""
    count = UserRepository(db).create_many({"email": f"new{number}@example.com"} for number in range(rows))
    db.rollback()
    return count


def main(what: str, rows: str) -> None:
    """Print one line of JSON."""
    engine = create_engine(os.environ["DATABASE_URL"])
    try:
        AuthService(engine).authenticate(SessionToken.new(0).text(Kind.ACCESS).reveal())
    except InvalidTokenError:
        idle = megabytes("VmRSS")
    with orm.Session(engine) as db:
        count = read(db) if what == "read" else write(db, int(rows))
    assert count == int(rows)
    print(json.dumps({"idle_mb": idle, "peak_mb": megabytes("VmHWM")}))  # noqa: T201 - the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
