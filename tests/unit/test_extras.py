"""What an import says where an extra is not installed."""

import sys

import pytest

from pgauthkit.lazy import lazy


@pytest.fixture
def _without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("pgauthkit.studio", "starlette_admin"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette_admin", None)


@pytest.mark.usefixtures("_without_the_extra")
@pytest.mark.parametrize("name", ["Studio", "create_app"])
def test_an_extra_that_is_not_installed(name: str) -> None:
    """The import names the package that is missing, and what to install."""
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(f"from pgauthkit.studio import {name}")  # noqa: S102 - the import statement itself

    assert 'pip install "pgauthkit[studio]"' in str(caught.value)
    assert "starlette_admin" in str(caught.value)
    assert caught.value.name == "starlette_admin"


@pytest.mark.parametrize(
    ("home", "extra"), [("no_such_package", None), ("pgauthkit.no_such_module", "studio"), ("no_such_package", "")]
)
def test_a_module_that_is_missing(home: str, extra: str | None) -> None:
    """Where it is no package of an extra that is missing, the error stays as it is, without advice."""
    with pytest.raises(ModuleNotFoundError) as caught:
        lazy("package", {"name": home}, extra=extra)("name")

    assert "pip install" not in str(caught.value)
