"""Behind a pooler that sends reads to a standby: the service asks the primary."""

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from tests.balancer import balancer

from pgauthkit import AuthConfig
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
