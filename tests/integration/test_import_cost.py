"""What an import brings with it: names of modules, which are exact where times are not."""

import json
import subprocess
import sys
from typing import Final

import pytest

# What pgauthkit stands on; a host that uses it has these anyway.
GIVEN: Final = "import sqlalchemy.orm, sqlalchemy.ext.asyncio, psycopg, argon2, email_validator"
SERVICES: Final = "from pgauthkit import AsyncAuthService, AuthConfig, AuthService"


def brought(statement: str, *, after: str = "") -> set[str]:
    """Return the modules that a statement imports into a new interpreter, beyond those of another before it."""
    lines = [after, "import json, sys", "before = set(sys.modules)", statement, "new = set(sys.modules) - before"]
    code = "\n".join([*lines, "print(json.dumps(sorted(new)))"])
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules} - sys.stdlib_module_names


def test_the_package_itself() -> None:
    """Importing the package imports two small modules: what it exports comes when it is first used."""
    assert brought("import pgauthkit", after="import importlib, typing, collections.abc") == {
        "pgauthkit",
        "pgauthkit.lazy",
    }


def test_the_services() -> None:
    """Both services bring no package but attrs and parts of SQLAlchemy beyond what they stand on."""
    modules = brought(SERVICES, after=GIVEN)
    assert packages(modules) == {"attr", "attrs", "pgauthkit", "sqlalchemy"}
    others = {module for module in modules if module.startswith("sqlalchemy.")}
    own = ("sqlalchemy.dialects", "sqlalchemy.connectors", "sqlalchemy.ext.compiler")
    assert {module for module in others if not module.startswith(own)} == set()


@pytest.mark.parametrize("statement", [SERVICES, "from pgauthkit.repositories import AsyncRepository, Repository"])
def test_what_stays_out(statement: str) -> None:
    """Neither the services nor the repositories import migrations, commands or the studio."""
    assert not packages(brought(statement)) & {"alembic", "click", "rich", "starlette", "starlette_admin", "pytest"}
    parts = {module.split(".")[1] for module in brought(statement) if module.startswith("pgauthkit.")}
    assert not parts & {"cli", "ops", "studio", "testing"}
