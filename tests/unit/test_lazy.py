"""Names that are imported on first use."""

import pytest

import pgauthkit
import pgauthkit.testing
from pgauthkit.service import AuthService


def test_a_name_is_found_in_its_home() -> None:
    """The package's name is the very object of the module it lives in."""
    assert pgauthkit.AuthService is AuthService


@pytest.mark.parametrize("package", [pgauthkit, pgauthkit.testing], ids=lambda package: package.__name__)
def test_every_public_name_is_there(package: object) -> None:
    """Each name in `__all__` can be imported."""
    names = getattr(package, "__all__", [])
    assert [name for name in names if getattr(package, name).__name__ != name] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not public is refused as Python refuses it."""
    with pytest.raises(AttributeError, match="module 'pgauthkit' has no attribute 'Nonsense'"):
        getattr(pgauthkit, "Nonsense")  # noqa: B009 - mypy would find it otherwise
