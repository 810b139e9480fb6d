"""What is said of errors that Alembic, SQLAlchemy and the server raise."""

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from pgauthkit.errors import MigrationError
from pgauthkit.ops.server.failure import explained


def test_what_alembic_refuses() -> None:
    """What Alembic says of a folder or a revision is the message of an error of ours."""
    with (
        pytest.raises(MigrationError, match=r"^Looking around failed: No 'script_location' key found in configuration"),
        explained("Looking around", make_url("postgresql://localhost/blog")),
    ):
        ScriptDirectory.from_config(Config())
