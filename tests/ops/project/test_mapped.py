"""The mapped classes: ours, and those of an application."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgauthkit.errors import ConfigError
from pgauthkit.ops.project.mapped import OURS, mapped_classes

MODELS = """
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from pgauthkit.models import User

class Base(DeclarativeBase):
    pass

class Wish(Base):
    __tablename__ = "wishes"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id))

class Gift(Base):
    __tablename__ = "gifts"
    id: Mapped[int] = mapped_column(primary_key=True)

class Query(Base):
    __table__ = select(Gift.id.label("gift_id")).subquery()
    __mapper_args__ = {"primary_key": [__table__.c.gift_id]}

class ext:
    Model = Base

everything = [Base, ext.Model.metadata]

class Broken(DeclarativeBase):
    pass

class Half(Broken):
    __tablename__ = "halves"
    id: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped["Nobody"] = relationship()
"""

SQLMODEL = """
from sqlmodel import Field, SQLModel

class Note(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
"""


@pytest.fixture
def blog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of models that can be imported, by a name of its own."""
    name = f"blog_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODELS)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    if found := sys.modules.pop(name, None):
        for base in (found.Base, found.Broken):  # Or what cannot be mapped is in the way of other tests.
            base.registry.dispose()


def test_ours() -> None:
    """Without an application there are ours."""
    assert mapped_classes()[: len(OURS)] == OURS


def test_theirs(blog: str) -> None:
    """Those of the application's base come after ours, by name; what has no table of its own is left out."""
    names = [model.__name__ for model in mapped_classes(f"{blog}:Base") if model.__module__ == blog]

    assert names == ["Gift", "Wish"]


@pytest.mark.parametrize(
    "models",
    [
        "{blog}:ext.Model",
        "{blog}:Base.registry",
        "{blog}:Base.metadata",
        "{blog}:everything",
        "{blog}:Base, pgauthkit.models:Base",
    ],
)
def test_theirs_in_other_shapes(blog: str, models: str) -> None:
    """What a framework has for a base is enough: a dotted name, a registry, a MetaData, a list, several."""
    names = [model.__name__ for model in mapped_classes(models.format(blog=blog)) if model.__module__ == blog]

    assert names == ["Gift", "Wish"]


def test_a_module_stands_for_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module is every base of the models in it, SQLModel's among them, whose registry has no public name."""
    (tmp_path / "module_of_notes.py").write_text(SQLMODEL)
    monkeypatch.syspath_prepend(tmp_path)
    for models in ("module_of_notes", "module_of_notes:SQLModel"):
        assert "Note" in [model.__name__ for model in mapped_classes(models)]


@pytest.mark.parametrize(
    ("models", "problem"),
    [
        ("nothing:Base", "cannot be imported: No module named 'nothing'"),
        ("{blog}:Nothing", "cannot be imported: module"),
        ("sys", "sys is no declarative base with models, such as blog.models:Base."),
        (":Base", "cannot be imported: Empty module name"),
        ("{blog}:select", "is no declarative base with models, such as blog.models:Base."),
        ("{blog}:Broken", "cannot be mapped"),
    ],
)
def test_refused(blog: str, models: str, problem: str) -> None:
    """What is no base, or cannot be mapped, is named with the reason."""
    with pytest.raises(ConfigError, match=problem):
        mapped_classes(models.format(blog=blog))


def test_a_module_that_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a module of the application raises is reported with the file and the line."""
    (tmp_path / "dividing_models.py").write_text("ratio = 1\nratio /= 0\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ConfigError, match=r"cannot be imported: division by zero \(.*dividing_models\.py, line 2\)\."):
        mapped_classes("dividing_models:Base")
