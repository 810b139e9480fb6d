"""The strategies, held against the database and the service's own rules."""

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.strategies import SearchStrategy
from sqlalchemy import Engine, orm

from pgauthkit import AuthService
from pgauthkit.client import clean_ip, clean_user_agent
from pgauthkit.database import create_engine
from pgauthkit.email_address import canonical_email
from pgauthkit.errors import InvalidTokenError
from pgauthkit.models import Device, MagicLink, Session, User
from pgauthkit.redirects import checked_redirect
from pgauthkit.testing import TestServer, strategies
from pgauthkit.tokens import Kind

ROWS = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
NAMES = ["device", "change", "identity", "invitation", "issued", "preview", "purge", "session", "sign_in", "tokens"]
VALUES = [
    strategies.device_infos(),
    strategies.email_changes(),
    strategies.identities(),
    strategies.invitation_infos(),
    strategies.issued_magic_links(),
    strategies.magic_link_previews(),
    strategies.purge_reports(),
    strategies.session_infos(),
    strategies.sign_ins(),
    strategies.token_pairs(),
]


@given(st.data())
def test_parts_are_what_the_service_would_keep(data: st.DataObject) -> None:
    """Addresses, ips, browsers and redirects are in their canonical form, and stay as they are."""
    email, ip = data.draw(strategies.emails()), data.draw(strategies.ips())
    browser, redirect = data.draw(strategies.user_agents()), data.draw(strategies.redirects())
    assert (canonical_email(email), clean_ip(ip)) == (email, ip)
    assert (clean_user_agent(browser), checked_redirect(redirect)) == (browser, redirect)


@pytest.mark.parametrize("values", VALUES, ids=NAMES)
def test_values_are_frozen_and_show_no_secret(values: SearchStrategy[attrs.AttrsInstance]) -> None:
    """Each strategy makes values of the service, whose repr shows no token."""

    @given(values)
    def claim(value: attrs.AttrsInstance) -> None:
        assert attrs.has(type(value))
        assert "pgak_" not in repr(value)

    claim()


@ROWS
@given(user=strategies.users(), link=strategies.magic_links(), data=st.data())
def test_rows_can_be_written_and_read(
    pgauthkit_shared_engine: Engine, user: User, link: MagicLink, data: st.DataObject
) -> None:
    """A user, a link, a session and a device of theirs pass every constraint, and come back as they were."""
    session, device = data.draw(strategies.sessions(st.just(user.id))), data.draw(strategies.devices(st.just(user.id)))
    assert device.created_at <= device.last_used_at <= device.expires_at
    assert session.access_expires_at <= session.idle_expires_at <= session.expires_at
    before = (user.email, link.purpose, link.expires_at, session.expires_at, device.token_hash)
    with orm.Session(pgauthkit_shared_engine) as db:
        db.add_all([user, link, session, device])
        db.flush()
        ids = user.id, link.id, session.id, device.id
        db.expunge_all()
        found = [db.get(model, id_) for model, id_ in zip((User, MagicLink, Session, Device), ids, strict=True)]
        assert isinstance(found[0], User)
        assert isinstance(found[1], MagicLink)
        assert isinstance(found[2], Session)
        assert isinstance(found[3], Device)
        ends = found[1].expires_at, found[2].expires_at
        assert (found[0].email, found[1].purpose, *ends, found[3].token_hash) == before
        db.rollback()


def test_tokens_are_well_formed_and_unknown(pgauthkit_server: TestServer) -> None:
    """A made-up token gets as far as the database, which does not know it."""
    with pgauthkit_server.database() as url:
        engine = create_engine(url)
        auth = AuthService(engine)

        @settings(max_examples=20)
        @given(strategies.link_tokens(), strategies.session_tokens(), strategies.session_tokens(Kind.REFRESH))
        def claim(link: object, access: object, refresh: object) -> None:
            for call, token in (
                (auth.verify_magic_link, link),
                (auth.authenticate, access),
                (auth.refresh, refresh),
            ):
                with pytest.raises(InvalidTokenError):
                    call(token.reveal())  # type: ignore[attr-defined]

        claim()
        engine.dispose()
