"""Every method, on every model and of every type, answers by a plan as in a session, and leaves the same rows."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from sqlalchemy import DateTime, Engine, Enum, Integer, Row, event, func, orm, text
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.orm import DeclarativeBase, Mapper, mapped_column
from tests.integration.repositories.conftest import HostBase, create_tables
from tests.integration.repositories.test_every_type import TYPES, UNPAGED

from pgauthkit.database import create_engine
from pgauthkit.errors import PgAuthKitError
from pgauthkit.models import Base
from pgauthkit.repositories import Page, Repository
from pgauthkit.testing import TestServer

# SQLAlchemy's own types of domains and money lack what it says that every type will need.
pytestmark = pytest.mark.filterwarnings("ignore:Type object:sqlalchemy.exc.SADeprecationWarning")


class Own(DeclarativeBase):
    """A base of our own, whose tables are in a database of our own."""


# A column of each type.
Wide = type(
    "Wide",
    (Own,),
    {
        "__tablename__": "wide",
        "number": mapped_column(Integer, primary_key=True, autoincrement=False),
        **{name: mapped_column(kind, nullable=False) for name, (kind, _) in TYPES.items()},
    },
)
OURS = ("pgauthkit.", HostBase.__module__)  # other tests have models on the same base
_FOUND = sorted(
    (mapper for base in (HostBase, Base) for mapper in base.registry.mappers),
    key=lambda mapper: mapper.class_.__name__,  # of a set; each process of a run shall have the same tests
)
MAPPERS = [mapper for mapper in _FOUND if mapper.class_.__module__.startswith(OURS)]
PAGE = Path(__file__).parents[3] / "docs/how-to/data-types.md"
EARLY = datetime(2026, 1, 1, tzinfo=UTC)
NAMES: dict[type[Any], Callable[[int], object]] = {
    bytes: lambda number: b"%032d" % number,
    datetime: lambda number: EARLY + timedelta(number),
    str: lambda number: f"v{number}",
    int: lambda number: number + 1,
    bool: lambda number: number % 2 == 0,
}


@attrs.frozen
class Case:
    """A model with five rows that are not in the database yet.

    Attributes:
        key: the columns of its primary key.
        rows: of all columns that must be given.
        change: what a row may be changed to.
        order: of columns, which makes it total.
    """

    model: type[Any]
    key: list[str]
    rows: list[dict[str, Any]]
    change: dict[str, Any]
    order: list[str]

    def key_of(self, number: int) -> dict[str, Any]:
        return {name: self.rows[number][name] for name in self.key}

    def where(self, number: int) -> list[Any]:
        return [getattr(self.model, name) == value for name, value in self.rows[number].items()]

    @property
    def relations(self) -> list[str]:
        return sorted(cast("Mapper[Any]", self.model.__mapper__).relationships.keys())

    @property
    def changed(self) -> str:
        return next(iter(self.change))


READING = ("find", "get", "page", "count", "exists", "aggregate", "group")
Example = Callable[[Repository[Any], Case], object]


def turned(repository: Repository[Any], case: Case) -> Page[Any]:
    """Return the second page."""
    first = repository.page(order_by=case.order, size=1)
    return repository.page(order_by=case.order, size=2, after=first.end_cursor, include=case.relations)


# In the order in which they are called; each method once at least.
EXAMPLES: list[tuple[str, Example]] = [
    ("create", lambda r, case: r.create(**case.rows[0])),
    ("create", lambda r, case: r.create(case.model(**case.rows[1]))),
    ("create", lambda r, case: r.create(**case.rows[0])),
    ("create_many", lambda r, case: r.create_many(case.rows[2:4])),
    ("create_many", lambda r, case: r.create_many(case.rows[:3], skip_duplicates=True, returning=True)),
    ("find_unique", lambda r, case: r.find_unique(**case.key_of(0))),
    ("get", lambda r, case: r.get(**case.key_of(1), include=case.relations)),
    ("get", lambda r, case: r.get(**case.key_of(4))),
    ("find_first", lambda r, case: r.find_first(order_by=case.order)),
    ("find_many", lambda r, case: r.find_many(order_by=case.order, take=2, skip=1, include=case.relations)),
    (
        "find_many",
        lambda r, case: [r.find_many(**{name: value}, order_by=case.key) for name, value in case.rows[2].items()],
    ),
    ("page", lambda r, case: r.page(order_by=case.order, size=2, with_total=True)),
    ("page", turned),
    ("count", lambda r, case: r.count(*case.where(1), **case.rows[1])),
    ("exists", lambda r, case: (r.exists(*case.where(1)), r.exists(*case.where(4)))),
    ("aggregate", lambda r, case: r.aggregate(n=func.count(), m=func.count(getattr(case.model, case.changed)))),
    ("group_by", lambda r, case: r.group_by(case.order, n=func.count(), order_by=case.order)),
    ("update", lambda r, case: r.update(case.key_of(0), **case.change)),
    ("update_many", lambda r, case: r.update_many(*case.where(1), **case.change)),
    ("upsert", lambda r, case: r.upsert(case.key_of(0), create=case.rows[0], update=case.change)),
    ("upsert", lambda r, case: r.upsert(case.key_of(4), create=case.rows[4], update={})),
    (
        "upsert_many",
        lambda r, case: r.upsert_many(case.rows[3:], case.key, [name for name in case.rows[3] if name not in case.key]),
    ),
    ("delete", lambda r, case: r.delete(case.key_of(0))),
    ("restore", lambda r, case: r.restore(case.key_of(0))),
    ("delete", lambda r, case: r.delete(case.key_of(1), hard=True)),
    ("delete_many", lambda r, case: r.delete_many(*case.where(2))),
    ("delete_many", lambda r, _: r.delete_many(all=True)),
]


def shown(found: object, *, deep: bool = True) -> object:
    """Return all that an answer shows, but for the time of day."""
    if isinstance(found, Row):
        return dict(found._mapping)
    if isinstance(found, Page):
        return [
            shown(found.items),
            found.has_next,
            found.has_previous,
            found.start_cursor,
            found.end_cursor,
            found.total,
        ]
    if isinstance(found, list | tuple):
        return [shown(item, deep=deep) for item in found]
    mapper = cast("Mapper[Any] | None", getattr(type(found), "__mapper__", None))
    if mapper is None:
        return type(found), found
    held = vars(found)
    columns = {prop.key: seen(prop.columns[0], getattr(found, prop.key)) for prop in mapper.column_attrs}
    relations = {name: shown(held[name], deep=False) for name in mapper.relationships.keys() & held.keys() if deep}
    return type(found), columns, relations


def seen(column: Any, value: object) -> object:  # noqa: ANN401 - of a table
    is_clock = isinstance(column.type, DateTime) and (column.server_default is not None or column.key == "deleted_at")
    return type(value) if is_clock else (type(value), value)


def outcomes(engine: Engine, case: Case) -> Iterator[object]:
    """Yield the outcome of every call, and the rows that there are behind each that writes."""
    repository = Repository(engine, case.model)
    for method, example in EXAMPLES:
        try:
            found = shown(example(repository, case))
        except PgAuthKitError as error:
            found = type(error), str(error)
        yield method, found
        if not method.startswith(READING):
            yield shown(repository.find_many(order_by=case.key, with_deleted=True))


@pytest.fixture(scope="module")
def url(pgauthkit_server: TestServer) -> Iterator[str]:
    """A database with the tables of all models."""
    with pgauthkit_server.database() as url:
        create_tables(url)
        yield url


@pytest.fixture(scope="module")
def by_plan(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    Own.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def by_session(url: str) -> Iterator[Engine]:
    """An engine on which somebody listens to each statement, so that calls go through a session."""
    engine = create_engine(url)
    event.listen(engine, "before_cursor_execute", lambda *_: None)
    yield engine
    engine.dispose()


def rows_of(mapper: Mapper[Any]) -> list[dict[str, Any]]:
    """Make five rows of a model, which refer to those of others."""
    return [
        {prop.key: value(prop.columns[0], number) for prop in mapper.column_attrs if is_given(prop.columns[0])}
        for number in range(5)
    ]


def is_given(column: Any) -> bool:  # noqa: ANN401 - of a table
    return column.primary_key or not (column.nullable or column.server_default is not None)


def value(column: Any, number: int) -> object:  # noqa: ANN401 - of a table
    """Return a value for a column."""
    for key in column.foreign_keys:
        return value(key.column, number)
    if column.name == "email":
        return f"user{number}@example.com"
    if isinstance(column.type, Enum):
        return list(cast("Any", column.type.enum_class))[number % 2]
    return NAMES[column.type.python_type](number)


def parents_of(mapper: Mapper[Any]) -> list[Mapper[Any]]:
    """Return the models whose rows must be there, each behind those that it refers to."""
    tables = {key.column.table for column in mapper.columns if is_given(column) for key in column.foreign_keys}
    above = [other for other in MAPPERS if other.local_table in tables]
    return list(dict.fromkeys(one for other in above for one in (*parents_of(other), other)))


def case_of(mapper: Mapper[Any]) -> Case:
    """Return a model with rows of it."""
    names: dict[Any, str] = {column: prop.key for prop in mapper.column_attrs for column in prop.columns}
    key = [names[column] for column in mapper.primary_key]
    free = next(column for column in mapper.columns if not column.primary_key)
    return Case(mapper.class_, key, rows_of(mapper), {names[free]: value(free, 9 - 9 * bool(free.foreign_keys))}, key)


def test_every_method_has_an_example() -> None:
    """A method that is new is called below, or this fails."""
    methods = inspect.getmembers(Repository, inspect.isfunction)
    assert {name for name, _ in EXAMPLES} == {name for name, _ in methods if not name.startswith("_")}


def test_every_type_of_the_page_is_tried() -> None:
    """Each type that the page of data types tells to take is one of those that are tried."""
    cells = re.findall(r"\| (`[^|]*`[^|]*) \|$", PAGE.read_text(), re.MULTILINE)
    wanted = {name.partition("(")[0] for cell in cells for name in re.findall("`([^`]+)`", cell)[:1]}
    postgresql = cast("Any", dialect)()
    tried = {kind.compile(postgresql).lower().partition("(")[0] for kind, _ in TYPES.values()}
    assert len(wanted) > 4
    known = {"timestamptz": "timestamp"}
    assert {known.get(name, name) for name in wanted} <= {name.replace(" with time zone", "") for name in tried}


@contextmanager
def filled(engine: Engine, mappers: list[Mapper[Any]]) -> Iterator[None]:
    """Have rows of these models, and of none afterwards."""
    with orm.Session(engine) as db:
        for mapper in mappers:
            db.add_all(mapper.class_(**row) for row in rows_of(mapper))
            db.flush()
        db.commit()
    yield
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(str(mapper.local_table) for mapper in MAPPERS)} CASCADE"))


@pytest.mark.parametrize("mapper", MAPPERS, ids=lambda mapper: mapper.class_.__name__)
def test_every_model(by_plan: Engine, by_session: Engine, mapper: Mapper[Any]) -> None:
    """Each method answers both ways alike, one after another on the rows that the ones before have left."""
    found: list[list[object]] = []
    for engine in (by_session, by_plan):
        with filled(by_plan, parents_of(mapper)):
            found.append(list(outcomes(engine, case_of(mapper))))
    for expected, answer in zip(*found, strict=True):
        assert answer == expected


def test_every_type(by_plan: Engine, by_session: Engine) -> None:
    """The same of a model that has every type: conditions, orders, groups and changes are of all of its columns."""
    rows = [{name: values[number % len(values)] for name, (_, values) in TYPES.items()} for number in range(6)]
    numbered = [{"number": number, **row} for number, row in enumerate(rows[:5])]
    order = [*(name for name in TYPES if name not in UNPAGED), "number"]
    case = Case(Wide, ["number"], numbered, rows[5], order)
    found = [list(outcomes(engine, case)) for engine in (by_session, by_plan)]
    for expected, answer in zip(*found, strict=True):
        assert answer == expected
