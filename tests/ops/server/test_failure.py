"""What is said of errors that Alembic, SQLAlchemy and the server raise."""

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgauthkit.errors import MigrationError, PendingMigrationsError
from pgauthkit.ops.server.failure import explained, explained_offline


def test_what_alembic_refuses() -> None:
    """What Alembic says of a folder or a revision is the message of an error of ours."""
    with (
        pytest.raises(MigrationError, match=r"^Looking around failed: No 'script_location' key found in configuration"),
        explained("Looking around", make_url("postgresql://localhost/blog")),
    ):
        ScriptDirectory.from_config(Config())


def test_a_model_that_cannot_be_mapped() -> None:
    """What SQLAlchemy says of a model is the message of an error of ours."""

    class Base(DeclarativeBase):
        pass

    class Half(Base):
        __tablename__ = "halves"
        id: Mapped[int] = mapped_column(primary_key=True)
        other = relationship("Nobody")

    with (
        pytest.raises(MigrationError, match=r"^Looking around failed: .*expression 'Nobody' failed to locate a name"),
        explained("Looking around", make_url("postgresql://localhost/blog")),
    ):
        Base.registry.configure()
    Base.registry.dispose()  # or what cannot be mapped fails other tests


def test_ours_stays_ours() -> None:
    """An error of ours that comes up while SQL is written out is left as it is."""
    with pytest.raises(PendingMigrationsError), explained_offline():
        raise PendingMigrationsError
