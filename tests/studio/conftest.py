"""A host's models of every kind, rows of them, and the studio as it is served, on a real server and port."""

import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from html import unescape
from threading import Thread
from typing import Any, Final, TypeAlias

import attrs
import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, orm
from sqlalchemy.dialects.postgresql import INET, INTERVAL, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.models import CuidPrimaryKey, MagicLink, RateLimit, Session, Timestamps, User
from pgauthkit.studio.server import Studio
from pgauthkit.testing import TestServer


class StudioBase(DeclarativeBase):
    """The host's own base."""


essay_topics: Final = sa.Table(
    "essay_topics",
    StudioBase.metadata,
    sa.Column("essay_id", sa.ForeignKey("essays.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("topic_id", sa.ForeignKey("topics.id", ondelete="CASCADE"), primary_key=True),
)


class Essay(CuidPrimaryKey, Timestamps, StudioBase):
    __tablename__ = "essays"
    __table_args__ = (sa.CheckConstraint("stars <= 5", name="few_stars"),)

    title: Mapped[str]
    stars: Mapped[int] = mapped_column(default=0)
    api_key: Mapped[str | None] = mapped_column(info={"secret": True})
    author_id: Mapped[str] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"))
    editor_id: Mapped[str | None] = mapped_column(sa.ForeignKey(User.id))

    author: Mapped[User] = relationship(foreign_keys=[author_id], lazy="raise")
    editor: Mapped[User | None] = relationship(foreign_keys=[editor_id], lazy="raise")
    topics: Mapped[list["Topic"]] = relationship(secondary=essay_topics, back_populates="essays")


class Topic(StudioBase):
    __tablename__ = "topics"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(sa.String(20), unique=True)

    essays: Mapped[list[Essay]] = relationship(secondary=essay_topics, back_populates="topics")
    motto: Mapped["Motto | None"] = relationship(back_populates="topic")


class Motto(StudioBase):
    """One to one with a topic, whose key it has."""

    __tablename__ = "mottos"

    topic_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Topic.id), primary_key=True)
    words: Mapped[str]

    topic: Mapped[Topic] = relationship(back_populates="motto")


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Upper(sa.TypeDecorator[str]):
    """A type of the application's own."""

    impl = sa.Text
    cache_ok = True


class Shape(StudioBase):
    """A column of every kind."""

    __tablename__ = "shapes"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    text: Mapped[str | None]
    colour: Mapped[Colour | None] = mapped_column(sa.Enum(Colour, native_enum=False))
    level: Mapped[str | None] = mapped_column(sa.Enum("low", "high", native_enum=False, name="level"))
    flag: Mapped[bool | None]
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
    ratio: Mapped[float | None]
    day: Mapped[date | None]
    clock: Mapped[time | None]
    local: Mapped[datetime | None] = mapped_column(sa.DateTime)
    moment: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    span: Mapped[timedelta | None]
    native_span: Mapped[timedelta | None] = mapped_column(INTERVAL)
    document: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    labels: Mapped[list[str] | None] = mapped_column(sa.ARRAY(sa.Text))
    grid: Mapped[list[list[int]] | None] = mapped_column(sa.ARRAY(sa.Integer, dimensions=2))
    address: Mapped[str | None] = mapped_column(INET)
    words: Mapped[str | None] = mapped_column(TSVECTOR)
    blob: Mapped[bytes | None]
    upper: Mapped[str | None] = mapped_column(Upper)
    doubled: Mapped[int | None] = mapped_column(sa.Computed("id * 2", persisted=True))


class Reading(StudioBase):
    """A key of two columns."""

    __tablename__ = "readings"

    sensor: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), primary_key=True)
    value: Mapped[int]


class Missing(StudioBase):
    """A class whose table nobody made."""

    __tablename__ = "missing"

    id: Mapped[int] = mapped_column(primary_key=True)


OURS: Final = (User, MagicLink, Session, RateLimit)
THEIRS: Final = (Essay, Topic, Motto, Shape, Reading, Missing)
TABLES: Final = [table for name, table in StudioBase.metadata.tables.items() if name != "missing"]
MOMENT: Final = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


@attrs.frozen
class Browser:
    """What a browser does with the studio, without the browser.

    Attributes:
        studio: what is served.
        http: with the cookie, once `enter` was called.
    """

    studio: Studio
    http: httpx.Client

    def enter(self) -> "Browser":
        """Open the address that was printed."""
        assert self.http.get(self.studio.url).status_code == 303
        assert self.http.get("/").status_code == 200
        return self

    def page(self, path: str, **query: str) -> str:
        """Return a page's text."""
        answer = self.http.get(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    def post(self, path: str, data: dict[str, Any] | None = None, **query: str) -> httpx.Response:
        """Post a form as a page of the studio does."""
        token = self.http.cookies.get("starlette_admin_csrftoken", "")
        origin = str(self.http.base_url).rstrip("/")
        form = {"csrftoken": token, **(data or {})}
        return self.http.post(path, data=form, params=query, headers={"Origin": origin})


Serve: TypeAlias = Callable[..., AbstractContextManager[Browser]]


@contextmanager
def served(engine: Engine, *models: type[Any], write: bool = False, host: str = "127.0.0.1") -> Generator[Browser]:
    """Serve the studio on a free port, and enter it."""
    studio = Studio(engine, models or (*OURS, *THEIRS), host=host, port=0, write=write)
    thread = Thread(target=studio.serve)
    thread.start()
    try:
        with httpx.Client(base_url=studio.url.split("/?")[0], timeout=60) as http:
            yield Browser(studio, http)
    finally:
        studio.stop()
        thread.join(60)


def fill(engine: Engine) -> None:
    """Make three users, their links and sessions, and rows of each of the host's classes."""
    StudioBase.metadata.create_all(engine, tables=TABLES)
    auth = AuthService(engine)
    for name in ("ada", "grace", "a%b"):
        auth.verify_magic_link(auth.request_magic_link(f"{name}@example.com", ip="203.0.113.7").token.reveal())
    with orm.Session(engine) as db, db.begin():
        db.execute(sa.update(Session).values(rotation_nonce=b"nonce-of-a-session"))
        ada = db.scalars(sa.select(User).where(User.email == "ada@example.com")).one()
        topic = Topic(name="Logic", motto=Motto(words="<script>alert(1)</script>"))
        db.add(Essay(title="=1+1", api_key="key-of-an-essay", author=ada, topics=[topic]))
        db.add_all(Essay(title=f"Essay {number}", author=ada, topics=[topic]) for number in range(11))
        db.add_all([shape(), Shape(), Reading(sensor="a,b", at=MOMENT, value=1)])


def shape() -> Shape:
    """Return a row with a value of every kind."""
    return Shape(
        text="one\ntwo",
        colour=Colour.RED,
        level="low",
        flag=True,
        price=Decimal("1.20"),
        ratio=0.5,
        day=MOMENT.date(),
        clock=MOMENT.time(),
        local=MOMENT.replace(tzinfo=None),
        moment=MOMENT,
        span=timedelta(hours=1),
        native_span=timedelta(hours=2),
        document={"a": [1]},
        labels=["x"],
        grid=[[1, 2], [3, 4]],
        address="10.0.0.1",
        words="word",
        blob=b"\x01\xff",
        upper="U",
    )


@pytest.fixture
def engine(pgauthkit_engine: Engine) -> Engine:
    """A database to be changed."""
    fill(pgauthkit_engine)
    return pgauthkit_engine


@pytest.fixture(scope="module")
def read_engine(pgauthkit_server: TestServer) -> Iterator[Engine]:
    """A database that many tests read."""
    with pgauthkit_server.database() as url:
        engine = create_engine(url)
        fill(engine)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def studio(read_engine: Engine) -> Iterator[Browser]:
    """The studio on it, read only, entered."""
    with served(read_engine) as browser:
        yield browser.enter()


@pytest.fixture
def writing(engine: Engine) -> Iterator[Browser]:
    """The studio with `write`, entered."""
    with served(engine, write=True) as browser:
        yield browser.enter()


@pytest.fixture
def serve(read_engine: Engine) -> Serve:
    """Serve the studio with these classes, or all, without entering it."""
    return lambda *models, **options: served(read_engine, *models, **options)
