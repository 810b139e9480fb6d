"""Several classes in one table: a repository of one leaves the rows of the others alone."""

import pytest
from sqlalchemy import Text, func, true, type_coerce
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.integration.repositories.conftest import Work

from pgauthkit.errors import NotFoundError, RepositoryError, UniqueViolationError
from pgauthkit.repositories import Repository


class Base(DeclarativeBase): ...


class Animal(Base):
    __tablename__ = "zoo"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012 - SQLAlchemy's

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(unique=True)


class Cat(Animal):
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012 - SQLAlchemy's


class Dog(Animal):
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012 - SQLAlchemy's


class Puppy(Dog):
    __mapper_args__ = {"polymorphic_identity": "puppy"}  # noqa: RUF012 - SQLAlchemy's


@pytest.fixture
def dogs(work: Work) -> Repository[Dog]:
    """Dogs 1 and 2, of which the second is a puppy, and cat 3."""
    work.call(lambda: Base.metadata.create_all(work.db.connection()))
    work.of(Dog).create(id=1, name="Rex")
    work.of(Puppy).create_many([{"id": 2, "name": "Fido"}])
    work.of(Cat).upsert({"id": 3}, create={"name": "Tom"}, update={})
    return work.of(Dog)


def test_reads(dogs: Repository[Dog], work: Work) -> None:
    """A class sees its own rows and those of the classes below it, as what they are."""
    assert [Dog, Puppy] == [type(dog) for dog in dogs.find_many(order_by="id")]
    assert (dogs.count(), dogs.exists(name="Tom"), dogs.find_unique(id=3)) == (2, False, None)
    page = dogs.page(order_by="name", size=1, with_total=True)
    behind = dogs.page(order_by="name", size=5, after=page.end_cursor)
    assert (page.total, [dog.name for dog in behind.items]) == (2, ["Rex"])
    assert dogs.aggregate(n=func.count()).n == 2
    assert [Dog, Puppy, Cat] == [type(animal) for animal in work.of(Animal).find_many(order_by="id")]


def test_writes(dogs: Repository[Dog], work: Work) -> None:
    """What is changed or deleted of a class is its own, also when that is everything."""
    assert dogs.update_many(true(), kind="puppy") == 2
    assert work.of(Puppy).count() == 2
    with pytest.raises(NotFoundError):
        dogs.delete({"id": 3})
    assert dogs.delete_many(all=True) == 2
    assert [animal.name for animal in work.of(Animal).find_many()] == ["Tom"]


@pytest.mark.parametrize("update", [{}, {"id": 4}])
def test_an_upsert_with_the_key_of_a_relative(dogs: Repository[Dog], work: Work, update: dict[str, int]) -> None:
    """A row of another class that has the key is not changed, nor taken for one: the key is taken."""
    with pytest.raises(UniqueViolationError, match="with this key is not a Dog: take another key") as refused:
        dogs.upsert({"name": "Tom"}, create={"id": 5}, update=update)
    assert refused.value.columns == ("name",)
    assert dogs.upsert_many([{"id": 6, "name": "Tom"}, {"id": 7, "name": "Fido"}], key="name", update=["id"]) == 1
    found = [(animal.id, animal.name) for animal in work.of(Animal).find_many(order_by="id")]
    assert found == [(1, "Rex"), (3, "Tom"), (7, "Fido")]


def test_a_class_that_no_column_tells(work: Work) -> None:
    """Where an expression tells the classes apart, a repository could not write them, and says so."""

    class Expressive(DeclarativeBase): ...

    class Thing(Expressive):
        __tablename__ = "expressions"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind = mapped_column(Text)
        __mapper_args__ = {"polymorphic_on": type_coerce(func.lower(kind.column), Text), "polymorphic_identity": "a"}  # noqa: RUF012 - SQLAlchemy's

    class Part(Thing):
        __mapper_args__ = {"polymorphic_identity": "b"}  # noqa: RUF012 - SQLAlchemy's

    with pytest.raises(RepositoryError, match="Part is not told from its relatives by a column"):
        work.of(Part)
    assert work.of(Thing) is not None
