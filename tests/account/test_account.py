"""An application with a class of its own for users, in a process of its own: such a class is there for good."""

import subprocess
import sys
from pathlib import Path

from pgauthkit.testing import TestServer

PROJECT = Path(__file__).parent / "project"
REFUSALS = '''
from typing import Any
from sqlalchemy import Computed, Identity, text
from sqlalchemy.orm import Mapped, mapped_column
from pgauthkit.errors import ConfigError
from pgauthkit.models import User

def refused(body: dict[str, Any], reason: str, **types: type) -> None:
    try:
        type("Account", (User,), {**body, "__annotations__": {name: Mapped[kind] for name, kind in types.items()}})
    except ConfigError as error:
        assert reason in str(error), error
    else:
        raise AssertionError(reason)
    User(email="ada@example.com")  # What was refused stands for nobody.

refused({"__tablename__": "accounts"}, "Account has a table of its own, in which a sign-in would make no row.")
refused({"__table__": User.__table__}, "Account has a table of its own")
refused({}, "Account.phone, fax: NOT NULL without a server_default.", phone=str, fax=str)
columns = User.__table__._columns
for name in ("phone", "fax"):
    columns.remove(columns[name])
for default in ("en", text("0")):
    refused({"code": mapped_column(unique=True, server_default=default)}, "Account.code: UNIQUE with a", code=str)
    columns.remove(columns["code"])
    User.__table__.constraints -= {one for one in User.__table__.constraints if one.name == "uq_users_code"}

class Person(User):
    """Not mapped itself."""
    __abstract__ = True

class Account(Person):
    number: Mapped[int] = mapped_column(Identity(), unique=True)
    size: Mapped[int] = mapped_column(Computed("length(email)"))
    key: Mapped[str] = mapped_column(server_default=text("gen_random_uuid()"), unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    __mapper_args__ = {"eager_defaults": True}

assert Account.__mapper__.eager_defaults
assert type(Account(email="ada@example.com")) is Account
'''


def run(folder: Path, *command: str) -> None:
    """Run Python in a process of its own, in a folder of its own: a failure shows what it printed."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_project(pgauthkit_server: TestServer, tmp_path: Path) -> None:
    """A shop whose users are Accounts: its objects, its repositories, its revisions, and our fixtures in its tests."""
    server = f"--pgauthkit-url={pgauthkit_server.url('postgres')}"
    run(tmp_path, "-m", "pytest", "-q", "-c", str(PROJECT / "pyproject.toml"), str(PROJECT), server)


def test_refusals(tmp_path: Path) -> None:
    """A class that a sign-in could not make rows of is refused in words, and what it can make rows of is not."""
    run(tmp_path, "-c", REFUSALS)
