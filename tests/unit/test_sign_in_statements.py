"""The statements of a sign-in have no part for what is not presented."""

import pytest

from pgauthkit.statements.handoffs import claim_sign_in
from pgauthkit.statements.magic_links import verify_code, verify_magic_link
from pgauthkit.statements.sessions import open_session

KEPT, EARLIER = "UPDATE pgauthkit.devices", "FROM pgauthkit.sessions JOIN pgauthkit.users"


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("is_bound", [False, True])
def test_link_and_code(*, is_bound: bool, on_device: bool) -> None:
    """A device is looked for where one is presented, and a session of before where a binding is."""
    for statement in (verify_magic_link, verify_code):
        sql = statement(is_bound=is_bound, on_device=on_device).sql
        assert (EARLIER in sql, KEPT in sql) == (is_bound, on_device)
        assert "INSERT INTO pgauthkit.devices" in sql


@pytest.mark.parametrize("on_device", [False, True])
def test_other_sign_ins(*, on_device: bool) -> None:
    """So it is where a host has proved who it is, and where a browser was waiting."""
    for statement in (open_session, claim_sign_in):
        assert (KEPT in statement(on_device=on_device).sql) == on_device
