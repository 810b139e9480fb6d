"""Behind a pooler that sends reads to a standby: the service asks the primary."""

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from tests.balancer import balancer, packed
from tests.integration.conftest import ask

from pgauthkit import AuthConfig
from pgauthkit.database import create_engine
from pgauthkit.database.line import Line
from pgauthkit.errors import SessionRevokedError

if TYPE_CHECKING:
    from tests.integration.conftest import Host

    from pgauthkit.testing import TestServer


def test_the_primary_is_asked(
    host: "Host", pgauthkit_url: str, pgauthkit_server: "TestServer", pgauthkit_config: AuthConfig
) -> None:
    """A fresh link is good and a token that was signed out is not, though the standby knows of neither."""
    with pgauthkit_server.database() as standby, balancer(pgauthkit_url, standby) as url:
        engine = host.engine(url, isolation_level="AUTOCOMMIT")
        auth = host.service_on(engine, pgauthkit_config)
        link = auth.request_magic_link("ada@example.com").token.reveal()
        assert auth.peek_magic_link(link).email == "ada@example.com"
        token = auth.verify_magic_link(link).tokens.access_token.reveal()
        assert auth.authenticate(token).email == "ada@example.com"
        count = sa.text("SELECT count(*) FROM pgauthkit.sessions")
        assert host.in_connection(engine, lambda connection: connection.scalar(count)) == 0  # a read of the host's own
        auth.sign_out(token)
        with pytest.raises(SessionRevokedError):
            auth.authenticate(token)
        host.tidy()


@pytest.mark.parametrize(
    "answer",
    [
        {b"C": b"DISCARD PLANS\0", b"Z": b"I"},
        {b"E": b"SERROR\0VERROR\0C0A000\0Mnot through this pooler\0\0", b"Z": b"I"},
    ],
    ids=["swallows", "refuses"],
)
def test_a_pooler_that_keeps_plans(pgauthkit_url: str, answer: dict[bytes, bytes]) -> None:
    """One that swallows DISCARD PLANS, or refuses it, disturbs neither the statement after it nor the next."""
    instead = {b"DISCARD PLANS": packed(answer)}
    with balancer(pgauthkit_url, pgauthkit_url, balances=False, instead=instead) as url:
        engine = create_engine(url)
        connection = engine.raw_connection()
        for number in range(66):  # it goes before the 64th
            assert ask(connection, "SELECT %(number)s::int4", number=number) == [(number,)]
        prepared = Line.of(connection).prepared
        assert prepared.round_trips == len(prepared.names) + 1
        connection.close()
        engine.dispose()
