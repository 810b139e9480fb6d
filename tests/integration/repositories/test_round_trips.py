"""What is written is what is read: every type of the guide, on our base and on the host's, one by one and in bulk."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import ARRAY, CheckConstraint, Enum, Index, Integer, Numeric, Text, inspect, true, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from tests.integration.repositories.conftest import Work

from pgauthkit.errors import CheckViolationError, NotAUniqueKeyError, UniqueViolationError
from pgauthkit.models import Base, SoftDelete, Timestamps, unique_unless_deleted
from pgauthkit.repositories import Repository


class Colour(StrEnum):
    RED = "red"
    DARK_BLUE = "dark blue"


class HostBase(DeclarativeBase): ...


class Columns(Timestamps, SoftDelete):
    """A composite key, a composite index, a partial unique one, and the guide's types."""

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (
            CheckConstraint("colour IN ('RED', 'DARK_BLUE')", name="colour"),
            CheckConstraint("price >= 0", name="price"),
            Index(None, "colour", "created_at"),
            unique_unless_deleted("shop", "slug"),
        )

    shop: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    colour: Mapped[Colour] = mapped_column(Enum(Colour, native_enum=False, create_constraint=False, length=16))
    document: Mapped[Any] = mapped_column(JSONB, nullable=True)
    words: Mapped[list[str | None] | None] = mapped_column(ARRAY(Text))
    numbers: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))


class Ware(Columns, Base):
    __tablename__ = "round_trip_wares"


class HostWare(Columns, HostBase):
    __tablename__ = "round_trip_host_wares"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
# JSON has one kind of number: a whole one comes back as an int, which is equal as long as a float holds it exactly.
FLOATS = st.floats(-1e6, 1e6, width=32)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
VALUES = st.fixed_dictionaries(
    {
        "slug": TEXTS,
        "price": st.decimals(0, Decimal("99999999.99"), places=2),
        "colour": st.sampled_from(Colour),
        "document": DOCUMENTS,
        "words": st.none() | st.lists(st.none() | TEXTS, max_size=4),
        "numbers": st.none() | st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    }
)
ON_ONE_TABLE = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
# Any value of the right kinds, for tests about something else.
WARE: dict[str, Any] = {"slug": "a", "price": Decimal(1), "colour": Colour.RED}

Model = type[Ware] | type[HostWare]


@pytest.fixture(params=[Ware, HostWare])
def model(request: pytest.FixtureRequest, work: Work) -> Model:
    found: Model = request.param
    table: Any = found.__table__
    work.call(lambda: table.create(work.db.connection()))
    work.sent()
    return found


def shown(row: Ware | HostWare, values: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in values}


def emptied(work: Work, model: Model) -> Repository[Any]:
    """Return the repository, without what the example before has left."""
    work.db.expunge_all()
    wares: Repository[Any] = work.of(model)
    wares.delete_many(all=True, hard=True)
    return wares


@ON_ONE_TABLE
@given(values=VALUES, others=VALUES)
def test_values(work: Work, model: Model, values: dict[str, Any], others: dict[str, Any]) -> None:
    """Created, found, updated, upserted and written in bulk, each value comes back equal and of its type."""
    wares = emptied(work, model)
    wares.create(shop="a", number=1, **values)
    work.call(work.db.expunge_all)
    found = wares.get(shop="a", number=1)
    assert values == shown(found, values)
    assert (type(found.price), found.price.as_tuple().exponent, type(found.colour)) == (Decimal, -2, Colour)
    assert others == shown(wares.update({"number": 1, "shop": "a"}, **others), others)
    key = {"shop": "a", "slug": others["slug"]}
    rest = {name: value for name, value in values.items() if name != "slug"}
    assert rest == shown(wares.upsert(key, create={"number": 2, **rest}, update=rest), rest)
    bulk = {name: value for name, value in others.items() if value is not None}
    (written,) = wares.create_many([{"shop": "b", "number": 7, **bulk}], returning=True)
    assert others == shown(written, others)
    assert wares.upsert_many([{"shop": "b", "number": 7, **values}], ["shop", "number"], list(values)) == 1
    work.call(work.db.expunge_all)
    assert values == shown(wares.get(shop="b", number=7), values)


@ON_ONE_TABLE
@given(numbers=st.lists(st.tuples(st.sampled_from(["a", "b", "B", "é"]), st.integers(-9, 9)), unique=True, max_size=12))
def test_composite_keys(work: Work, model: Model, numbers: list[tuple[str, int]]) -> None:
    """A row is found, paged and deleted by a key of two columns, which are both needed."""
    wares = emptied(work, model)
    rows = [{**WARE, "shop": shop, "number": number, "slug": str(number)} for shop, number in numbers]
    assert wares.create_many(rows) == len(numbers)
    page = wares.page(order_by="-number", size=5)
    walked = list(page.items)
    while page.has_next:
        page = wares.page(order_by="-number", size=5, after=page.end_cursor)
        walked += page.items
    assert sorted(numbers) == sorted((row.shop, row.number) for row in walked)
    assert [row.number for row in walked] == sorted((number for _, number in numbers), reverse=True)
    for shop, number in numbers:
        assert wares.delete({"shop": shop, "number": number}, hard=True).number == number
    assert wares.count(with_deleted=True) == 0
    with pytest.raises(NotAUniqueKeyError):
        wares.find_unique(shop="a")


def test_constraints(work: Work, model: Model) -> None:
    """The checks and the partial index are the database's: they refuse, and free the slug of what is deleted."""
    wares = work.of(model)
    wares.create(shop="a", number=1, **WARE)
    with pytest.raises(UniqueViolationError) as taken, work.savepoint():
        wares.create(shop="a", number=2, **WARE)
    assert taken.value.columns == ("shop", "slug")
    with pytest.raises(CheckViolationError, match=r"constraint (ck_round_trip_wares_)?price"), work.savepoint():
        wares.create(shop="b", number=1, **{**WARE, "price": Decimal(-1)})
    pink = type_coerce("PINK", Text)
    with pytest.raises(CheckViolationError, match=r"constraint (ck_round_trip_wares_)?colour"), work.savepoint():
        wares.update_many(true(), colour=pink)
    wares.delete({"shop": "a", "number": 1})
    assert wares.create(shop="a", number=3, **WARE).slug == "a"
    assert wares.get(shop="a", slug="a").number == 3


def test_indexes(work: Work, model: Model) -> None:
    """The composite index, the one over deleted_at and the partial one are in the database."""
    found = work.call(lambda: inspect(work.db.connection()).get_indexes(model.__tablename__))
    columns = {tuple(index["column_names"]): index["unique"] for index in found}
    assert columns == {("colour", "created_at"): False, ("deleted_at",): False, ("shop", "slug"): True}


def test_the_edges_of_money(work: Work, model: Model) -> None:
    """Numeric(10, 2) holds eight digits and two, exactly; nothing is rounded."""
    wares = work.of(model)
    largest = Decimal("99999999.99")
    assert wares.create(shop="a", number=1, **{**WARE, "price": largest}).price == largest
    assert math.isclose(wares.aggregate(price=model.price).price, largest)
    assert wares.create(shop="a", number=2, **{**WARE, "slug": "b", "price": 7}).price == Decimal("7.00")
    assert wares.get(shop="a", number=1).created_at <= datetime.now(UTC)
