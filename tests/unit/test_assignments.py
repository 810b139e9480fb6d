"""Values for columns: what a model's validators make of them, without an object and without SQLAlchemy's events."""

import pytest
from sqlalchemy import func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates

from pgauthkit.repositories.generic.assignments import validated, validated_columns
from pgauthkit.repositories.generic.description import describe


class Base(DeclarativeBase):
    pass


class Page(Base):
    __tablename__ = "pages"

    id: Mapped[int] = mapped_column(primary_key=True)
    language: Mapped[str]
    title: Mapped[str]
    slug: Mapped[str]

    @validates("title", include_removes=True)
    def _stripped(self, _name: str, title: str, is_removed: bool) -> str:  # noqa: FBT001 - SQLAlchemy's signature
        assert not is_removed
        return title.strip()

    @validates("slug")
    def _prefixed(self, _name: str, slug: str) -> str:
        if not slug:
            raise ValueError("A page has a slug.")
        return f"{self.language}/{slug}"


class Note(Base):
    """Its validator leaves something on the object."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    summary: Mapped[str]
    text: Mapped[str]

    @validates("text")
    def _summed_up(self, _name: str, text: str) -> str:
        seen = vars(self).get("summary", "nothing"), self.kind
        if text == "long":
            self.summary = "short"
        return f"{text} after {seen}"


Base.registry.configure()


def test_validators_see_what_was_given_before() -> None:
    """Each validator gets its value, whichever signature it has, and an object with the values before it."""
    found = validated(describe(Page), {"language": "en", "title": " Hello ", "slug": "hello"})
    assert found == {"language": "en", "title": "Hello", "slug": "en/hello"}


def test_expressions_are_left_alone() -> None:
    """What the server computes is none of a validator's business."""
    expression = func.lower("X")
    assert validated(describe(Page), {"slug": expression}) == {"slug": expression}


def test_what_a_validator_raises_is_the_hosts() -> None:
    """An error of a validator goes out as it is."""
    with pytest.raises(ValueError, match="has a slug"):
        validated(describe(Page), {"language": "en", "slug": ""})


def test_rows_know_nothing_of_each_other() -> None:
    """A validator of many rows finds what its row has before, and what all have; what it sets counts in its row."""
    texts, constant = ["long", "new"], {"kind": "k"}
    alone = validated_columns(describe(Note), {"text": texts}, constant)
    assert alone == {"text": ["long after ('nothing', 'k')", "new after ('nothing', 'k')"]}
    both = validated_columns(describe(Note), {"summary": ["a", "b"], "text": texts, "id": [1, 2]}, constant)
    expected = ["long after ('a', 'k')", "new after ('b', 'k')"]
    assert both == {"summary": ["short", "b"], "text": expected, "id": [1, 2]}


def test_expressions_among_many() -> None:
    """They are left alone, and no validator sees one."""
    expression = func.lower("X")
    columns: dict[str, list[object]] = {"summary": [expression], "text": ["new"]}
    found = validated_columns(describe(Note), columns, {"kind": "k"})
    assert found == {"summary": [expression], "text": ["new after ('nothing', 'k')"]}
    assert validated_columns(describe(Note), {"text": [expression]}) == {"text": [expression]}
