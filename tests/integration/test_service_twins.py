"""`AuthService` and `AsyncAuthService` are one service: the same methods, arguments, defaults and results."""

import inspect
from typing import get_type_hints

import pytest

from pgauthkit import AsyncAuthService, AuthService


def public_methods(service: type) -> list[str]:
    """Return the names of what a host may call."""
    return sorted(name for name, _ in inspect.getmembers(service, callable) if not name.startswith("_"))


METHODS = [name for name in public_methods(AuthService) if name != "within"]


def test_each_has_what_the_other_has() -> None:
    """Every public method of one is on the other, and nothing else."""
    assert public_methods(AuthService) == public_methods(AsyncAuthService)


def test_they_are_what_the_contract_names() -> None:
    """The methods are those of the contract."""
    contract = {
        *("request_magic_link", "peek_magic_link", "verify_magic_link", "verify_code", "authenticate", "refresh"),
        *("open_session", "sign_out", "list_sessions", "revoke_session", "revoke_sessions", "deactivate_user"),
        *("activate_user", "change_email", "find_user", "purge", "revoke_all_sessions", "within"),
        *("invite", "list_invitations", "withdraw_invitation", "request_email_change", "confirm_email_change"),
        *("approve_magic_link", "claim_sign_in", "list_devices", "forget_device"),
    }
    assert contract == set(public_methods(AuthService))


@pytest.mark.parametrize("name", METHODS)
def test_signatures(name: str) -> None:
    """Names, kinds, defaults and types of the arguments, and the type of the result, are the same."""
    sync, awaited = getattr(AuthService, name), getattr(AsyncAuthService, name)
    assert inspect.signature(sync) == inspect.signature(awaited)
    assert get_type_hints(sync) == get_type_hints(awaited)


@pytest.mark.parametrize("name", METHODS)
def test_one_is_awaited(name: str) -> None:
    """Each method of the async twin is a coroutine function, and none of the other."""
    assert inspect.iscoroutinefunction(getattr(AsyncAuthService, name))
    assert not inspect.iscoroutinefunction(getattr(AuthService, name))


def test_within() -> None:
    """`within` takes a session or a connection of its own kind, and needs no waiting."""
    expected = ["self", "db"]
    assert expected == list(inspect.signature(AuthService.within).parameters)
    assert expected == list(inspect.signature(AsyncAuthService.within).parameters)
    assert AuthService is get_type_hints(AuthService.within)["return"]
    assert AsyncAuthService is get_type_hints(AsyncAuthService.within)["return"]


@pytest.mark.parametrize("name", [*METHODS, "within"])
def test_docstrings(name: str) -> None:
    """The sync method says everything, with an example; the async one says what it does and where to read on."""
    sync, awaited = (inspect.getdoc(getattr(service, name)) or "" for service in (AuthService, AsyncAuthService))
    assert "Example:" in sync
    assert f"see `AuthService.{name}`" in awaited
    first_of_both = {text.partition("\n")[0].partition(":")[0].split()[0] for text in (sync, awaited)}
    assert len(first_of_both) == 1
