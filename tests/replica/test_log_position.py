"""A position of the log as a token of what a host has written itself."""

from typing import TYPE_CHECKING

from sqlalchemy import orm
from tests.integration.conftest import PATIENCE

from pgauthkit import AuthService
from pgauthkit.database import has_replayed, log_position
from pgauthkit.models import User
from pgauthkit.repositories import UserRepository

if TYPE_CHECKING:
    from tests.replica.conftest import Pair


def test_own_rows(pair: "Pair", auth: AuthService) -> None:
    """A replica has what was written before a position as soon as it has replayed it, and says so."""
    pair.standby.pause()
    auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())
    seen = pair.host.in_connection(pair.primary, log_position)
    assert pair.host.in_session(pair.primary, lambda db: has_replayed(db, seen))
    assert not pair.host.in_connection(pair.replica, lambda connection: has_replayed(connection, seen))
    pair.standby.resume()
    pair.standby.catch_up(timeout=PATIENCE)

    def find(db: orm.Session) -> User | None:
        return UserRepository(db).find_by_email("ada@example.com") if has_replayed(db, seen) else None

    assert pair.host.in_session(pair.replica, find)
