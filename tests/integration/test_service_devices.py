"""Known devices: kept and made by sign-ins, listed, forgotten, and deleted with what ends them."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pgauthkit import AuthService
from pgauthkit.config import Pepper
from pgauthkit.secret import Secret
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SecretToken
from pgauthkit.values import AuthEvent, DeviceInfo, SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database

ADA, EVE, NEW = "ada@example.com", "eve@example.com", "ada@new.example"
YEAR = timedelta(days=365)
INSTANT = timedelta(microseconds=1)
Enter = Callable[[AuthService, str | None], SignIn]


def by_link(auth: AuthService, device: str | None = None, email: str = ADA, **asking: Any) -> SignIn:  # noqa: ANN401
    link = auth.request_magic_link(email)
    return auth.verify_magic_link(link.token.reveal(), device=device, **asking)


def by_code(auth: AuthService, device: str | None) -> SignIn:
    link = auth.request_magic_link(ADA)
    return auth.verify_code(link.id, link.code.reveal() if link.code else "", device=device)


def by_handoff(auth: AuthService, device: str | None) -> SignIn:
    link = auth.request_magic_link(ADA, handoff=True)
    auth.approve_magic_link(link.token.reveal(), link.match or "")
    return auth.claim_sign_in(link.handoff.reveal() if link.handoff else "", device=device)


def by_host(auth: AuthService, device: str | None) -> SignIn:
    user = auth.find_user(ADA)
    return by_link(auth, device) if user is None else auth.open_session(user.id, device=device or "")


WAYS: dict[str, Enter] = {"link": by_link, "code": by_code, "handoff": by_handoff, "host": by_host}
each_way = pytest.mark.parametrize("enter", WAYS.values(), ids=WAYS)


def cookie(signed_in: SignIn) -> str:
    return signed_in.device.reveal()


def ids(auth: AuthService, signed_in: SignIn) -> list[str]:
    return [device.id for device in auth.list_devices(signed_in.user.user_id)]


def device_of(auth: AuthService, signed_in: SignIn) -> str | None:
    sessions = {session.id: session.device_id for session in auth.list_sessions(signed_in.user.user_id)}
    return sessions[signed_in.tokens.session_id]


@each_way
def test_a_browser_is_known_from_the_second_sign_in_on(
    configured: "Configured", events: list[AuthEvent], enter: Enter
) -> None:
    """The first sign-in makes a device; the next with its token keeps it, and the owner hears of neither."""
    auth = configured(codes=True)
    first = enter(auth, None)
    assert not first.known_device
    second = enter(auth, cookie(first))
    assert (second.known_device, second.device) == (True, first.device)
    assert device_of(auth, first) == device_of(auth, second)
    assert ids(auth, first) == [device_of(auth, first)]
    assert "new_device" not in [event.kind for event in events]


@each_way
def test_another_browser(configured: "Configured", events: list[AuthEvent], enter: Enter) -> None:
    """A sign-in without the token, on an account that exists, is on a new device, and the audit log says so."""
    auth = configured(codes=True)
    first = enter(auth, None)
    events.clear()
    second = enter(auth, None)
    assert not second.known_device
    assert cookie(first) != cookie(second)
    assert {device_of(auth, first), device_of(auth, second)} == set(ids(auth, first))
    (told,) = [event for event in events if event.kind == "new_device"]
    assert (told.session_id, told.detail) == (second.tokens.session_id, {"device_id": device_of(auth, second)})


def test_listed(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """A user's devices are listed as they were last seen, the latest first, and of nobody else."""
    laptop = by_link(auth, ip="203.0.113.7", user_agent="Firefox/143.0")
    made = pgauthkit_clock()
    pgauthkit_clock.move(timedelta(days=1))
    phone = by_link(auth)
    by_link(auth, email=EVE)
    pgauthkit_clock.move(timedelta(days=1))
    by_link(auth, cookie(laptop), user_agent="Firefox/144.0")
    now = pgauthkit_clock()
    first, second = auth.list_devices(laptop.user.user_id)
    assert first == DeviceInfo(
        id=first.id,
        created_at=made,
        last_used_at=now,
        expires_at=now + YEAR,
        ip="203.0.113.7",
        user_agent="Firefox/144.0",
    )
    assert (second.id, second.ip, second.user_agent) == (device_of(auth, phone), None, None)
    assert auth.list_devices("nobody") + auth.list_devices("\0") == []


def test_forgotten(auth: AuthService, events: list[AuthEvent]) -> None:
    """A device that is forgotten is unknown, once, and its session goes on."""
    ada, eve = by_link(auth), by_link(auth, email=EVE)
    (device,) = ids(auth, ada)
    for user_id, device_id in ((eve.user.user_id, device), ("\0", device), (ada.user.user_id, "\0")):
        assert not auth.forget_device(user_id, device_id)
    events.clear()
    assert auth.forget_device(ada.user.user_id, device)
    assert not auth.forget_device(ada.user.user_id, device)
    assert [(event.kind, event.user_id, event.detail) for event in events] == [
        ("device_forgotten", ada.user.user_id, {"device_id": device})
    ]
    assert auth.authenticate(ada.tokens.access_token.reveal()) == ada.user
    assert not by_link(auth, cookie(ada)).known_device


def test_to_the_microsecond(configured: "Configured", pgauthkit_clock: Clock) -> None:
    """A device is known for `device_ttl` after the last sign-in on it, and not for an instant longer."""
    auth = configured(device_ttl=timedelta(days=7))
    first = by_link(auth)
    for _ in range(2):
        pgauthkit_clock.move(timedelta(days=7) - INSTANT)
        assert by_link(auth, cookie(first)).known_device
    pgauthkit_clock.move(timedelta(days=7))
    assert ids(auth, first) == []
    again = by_link(auth, cookie(first))
    assert not again.known_device
    assert cookie(again) != cookie(first)


def test_the_last_one_who_signed_in(auth: AuthService) -> None:
    """On a browser of another's the user gets a device of their own; the other's stays what it was."""
    ada = by_link(auth)
    eve = by_link(auth, cookie(ada), EVE)
    assert not eve.known_device
    assert cookie(eve) != cookie(ada)
    assert by_link(auth, cookie(ada)).known_device


BINDING = SecretToken.new(0).text(Kind.BINDING).reveal()


@pytest.mark.parametrize(
    "device", ["", "rubbish", "pgak_dv_", "\0", BINDING], ids=["empty", "rubbish", "prefix", "nul", "binding"]
)
def test_no_token(auth: AuthService, device: str) -> None:
    """What is no token of a device is none, and fails nothing."""
    link = auth.request_magic_link(ADA, device=device)
    assert not auth.verify_magic_link(link.token.reveal(), device=device).known_device


def test_the_same_again(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """A lost answer of a handoff is repeated with the same token of the device, new as it was or known."""
    for known in (False, True):
        first = by_link(auth) if known else None
        link = auth.request_magic_link(ADA, handoff=True)
        auth.approve_magic_link(link.token.reveal(), link.match or "")
        waiting = link.handoff.reveal() if link.handoff else ""
        device = cookie(first) if first else None
        signed_in = auth.claim_sign_in(waiting, device=device)
        pgauthkit_clock.move(timedelta(seconds=5))
        again = auth.claim_sign_in(waiting, device=device)
        assert (signed_in.device, signed_in.known_device) == (again.device, again.known_device)
        assert again.known_device is known
        assert by_link(auth, cookie(again)).known_device


@pytest.mark.parametrize("by", ["link", "code"])
def test_a_button_pressed_twice(configured: "Configured", events: list[AuthEvent], by: str) -> None:
    """With the right binding a link or code gives the same token of the device again, new as it was or known."""
    auth = configured(codes=True)
    device: str | None = None
    for _ in range(2):
        link = auth.request_magic_link(ADA, bind=True)
        binding = link.binding.reveal() if link.binding else ""
        token, code = link.token.reveal(), link.code.reveal() if link.code else ""

        def press(
            device: str | None, token: str = token, code: str = code, binding: str = binding, link_id: str = link.id
        ) -> SignIn:
            if by == "link":
                return auth.verify_magic_link(token, binding=binding, device=device)
            return auth.verify_code(link_id, code, binding=binding, device=device)

        events.clear()
        first, again = press(device), press(device)
        assert (first.tokens, first.device, first.known_device) == (again.tokens, again.device, again.known_device)
        assert [event.kind for event in events] == ["signed_in", "sign_in_repeated"]
        device = cookie(first)
    assert first.known_device
    assert len(ids(auth, first)) == 1


def test_forgotten_before_it_is_asked_for_again(auth: AuthService) -> None:
    """A repetition brings no device back that was forgotten meanwhile."""
    link = auth.request_magic_link(ADA, handoff=True)
    auth.approve_magic_link(link.token.reveal(), link.match or "")
    waiting = link.handoff.reveal() if link.handoff else ""
    signed_in = auth.claim_sign_in(waiting)
    auth.forget_device(signed_in.user.user_id, *ids(auth, signed_in))
    again = auth.claim_sign_in(waiting, device=cookie(signed_in))
    assert (again.tokens, again.known_device) == (signed_in.tokens, False)
    assert ids(auth, signed_in) == []


def test_signing_out_forgets_nothing(auth: AuthService) -> None:
    """Sign-outs, and the end of everybody's sessions, leave devices known: then their owners need them most."""
    ada = by_link(auth)
    auth.sign_out(ada.tokens.access_token.reveal())
    assert by_link(auth, cookie(ada)).known_device
    auth.revoke_sessions(ada.user.user_id)
    assert by_link(auth, cookie(ada)).known_device
    auth.revoke_all_sessions()
    assert by_link(auth, cookie(ada)).known_device


def test_switching_a_user(auth: AuthService, database: "Database") -> None:
    """Deactivation forgets a user's devices, activation those of sign-ins in between; on the active it does nothing."""
    ada, eve = by_link(auth), by_link(auth, email=EVE)
    auth.activate_user(ada.user.user_id)
    assert by_link(auth, cookie(ada)).known_device
    auth.deactivate_user(ada.user.user_id)
    assert ids(auth, ada) == []
    database.tell(
        "INSERT INTO pgauthkit.devices (id, token_hash, user_id, last_used_at, expires_at) "
        "VALUES ('late', 'late', %s, now(), now() + interval '999 years')",
        ada.user.user_id,
    )
    auth.activate_user(ada.user.user_id)
    assert (ids(auth, ada), len(ids(auth, eve))) == ([], 1)


@pytest.mark.parametrize("by", ["host", "link"])
def test_a_change_of_address(auth: AuthService, by: str) -> None:
    """A change of address forgets every device but that of the session which goes on."""
    here, there, eve = by_link(auth), by_link(auth), by_link(auth, email=EVE)
    user_id, keep = here.user.user_id, here.tokens.session_id
    kept = device_of(auth, here)

    def move(address: str, keep: str | None) -> None:
        if by == "host":
            auth.change_email(user_id, address, keep_session=keep)
        else:
            link = auth.request_email_change(user_id, address)
            auth.confirm_email_change(link.token.reveal(), user_id=user_id, keep_session=keep)

    move(NEW, keep)
    assert ids(auth, here) == [kept]
    assert by_link(auth, cookie(here), NEW).known_device
    assert not auth.open_session(user_id, device=cookie(there)).known_device
    move(ADA, eve.tokens.session_id)
    assert (ids(auth, here), len(ids(auth, eve))) == ([], 1)


def test_deleted_with_the_user(auth: AuthService, database: "Database") -> None:
    """A user who is deleted leaves no device behind."""
    by_link(auth)
    database.tell("DELETE FROM pgauthkit.users")
    assert database.ask("SELECT count(*) FROM pgauthkit.devices") == [(0,)]


def test_under_another_pepper(configured: "Configured") -> None:
    """A device made under an older pepper is known, and under the first from its next sign-in on."""
    old, new = (Pepper(id=number, secret=Secret(f"{number}" * 32)) for number in (1, 2))
    first = by_link(configured(peppers=(old,)))
    turning = configured(peppers=(new, old))
    second = by_link(turning, cookie(first))
    assert second.known_device
    assert cookie(second) != cookie(first)
    after = configured(peppers=(new,))
    assert by_link(after, cookie(second)).known_device
    assert not by_link(after, cookie(first)).known_device


def test_the_same_again_under_another_pepper(configured: "Configured") -> None:
    """While hosts have different first peppers a repetition gives the token that is known, whichever they present."""
    one, two = (Pepper(id=number, secret=Secret(f"{number}" * 32)) for number in (1, 2))
    first, other = configured(peppers=(one, two)), configured(peppers=(two, one))
    for here, there in ((first, other), (other, first)):
        device = cookie(by_link(first))
        link = here.request_magic_link(ADA, handoff=True)
        here.approve_magic_link(link.token.reveal(), link.match or "")
        waiting = link.handoff.reveal() if link.handoff else ""
        signed_in = here.claim_sign_in(waiting, device=device)
        for presented in (device, cookie(signed_in)):
            again = there.claim_sign_in(waiting, device=presented)
            assert (again.known_device, again.device) == (True, signed_in.device)


def test_a_dump_makes_no_device(auth: AuthService, database: "Database") -> None:
    """The table has hashes, out of which no token can be made that is known."""
    ada = by_link(auth)
    ((stored,),) = database.ask("SELECT token_hash FROM pgauthkit.devices")
    assert SecretToken.parse(Kind.DEVICE, cookie(ada)).secret != stored
    assert not by_link(auth, SecretToken(0, stored).text(Kind.DEVICE).reveal()).known_device


def test_purged(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """A purge deletes devices that ended longer than `keep` ago, to the microsecond."""
    ada = by_link(auth)
    pgauthkit_clock.move(YEAR + timedelta(days=1))
    assert auth.purge().devices == 0
    pgauthkit_clock.move(INSTANT)
    report = auth.purge()
    assert (report.devices, ids(auth, ada)) == (1, [])


def test_twenty_are_kept(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """Of more than 20 devices of a user a purge keeps those that they signed in on last, and leaves others' alone."""
    first, eve = by_link(auth), by_link(auth, email=EVE)
    for _ in range(21):
        pgauthkit_clock.move(timedelta(seconds=1))
        auth.open_session(first.user.user_id)
    auth.open_session(first.user.user_id, device=cookie(first))
    before = ids(auth, first)
    assert (len(before), device_of(auth, first) in before[:2]) == (22, True)
    assert auth.purge(batch_size=7).devices == 2
    assert (ids(auth, first), len(ids(auth, eve))) == (before[:20], 1)
    assert auth.purge().devices == 0
