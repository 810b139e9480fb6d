"""One object for a row: every user is an Account, whoever selects it and however."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from shop import Account, Note, Order, Post, Team
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session as Db, aliased, contains_eager, joinedload, load_only, selectinload

from pgauthkit import AsyncAuthService, AuthService
from pgauthkit.database import create_engine
from pgauthkit.errors import ConfigError
from pgauthkit.models import Session, User
from pgauthkit.repositories import AsyncUserRepository, Repository, UserRepository
from pgauthkit.statements import codes, magic_links, purge, revocation, sessions, users
from pgauthkit.statements.statement import Statement
from pgauthkit.testing import MakeUser, TestServer
from pgauthkit.testing.strategies import users as any_users

ROW = {"id": "c2", "email": "grace@example.com"}
WAYS: dict[str, Callable[[Db], Any]] = {
    "select": lambda db: db.scalars(select(User)).one(),
    "select of the class": lambda db: db.scalars(select(Account)).one(),
    "get": lambda db: db.get(User, "c1"),
    "update … returning": lambda db: db.scalars(update(User).values(is_active=False).returning(User)).one(),
    "insert … returning": lambda db: db.scalars(insert(User).returning(User), [ROW]).one(),
    "upsert … returning": lambda db: db.scalars(
        upsert(User)
        .values(id="c2", email="ada@example.com")
        .on_conflict_do_update(index_elements=["email"], set_={"is_active": False})
        .returning(User)
    ).one(),
    "delete … returning": lambda db: db.scalars(delete(User).returning(User)).one(),
    "text": lambda db: db.scalars(select(User).from_statement(text("SELECT * FROM pgauthkit.users"))).one(),
    "union": lambda db: db.scalars(select(User).from_statement(select(User).union(select(User)))).one(),
    "alias": lambda db: db.scalars(select(aliased(User))).one(),
    "subquery": lambda db: db.scalars(select(aliased(User, select(User).limit(1).subquery()))).one(),
    "subquery of the table": lambda db: db.scalars(select(aliased(User, select(User.__table__).subquery()))).one(),
    "load_only": lambda db: db.scalars(select(User).options(load_only(User.email))).one(),
    "joinedload": lambda db: db.scalars(select(Post).options(joinedload(Post.writer))).one().writer,
    "selectinload": lambda db: db.scalars(select(Post).options(selectinload(Post.writer))).one().writer,
    "contains_eager": lambda db: (
        db.scalars(select(Post).join(Post.writer).options(contains_eager(Post.writer))).one().writer
    ),
    "lazy": lambda db: db.scalars(select(Post)).one().writer,
    "another base": lambda db: db.scalars(select(Note)).one().user,
    "SQLModel": lambda db: db.scalars(select(Order)).one().user,
    "repository of users": lambda db: UserRepository(db).get(id="c1"),
    "repository of users, by its class": lambda db: UserRepository(db, Account).get(id="c1"),
    "repository of User": lambda db: Repository(db, User).get(id="c1"),
    "repository of Account": lambda db: Repository(db, Account).get(id="c1"),
    "ensured": lambda db: UserRepository(db).ensure("grace@example.com"),
    "included from another base": lambda db: Repository(db, Note).find_many(include=["user"])[0].user,
    "included": lambda db: Repository(db, Post).find_many(include=["writer"])[0].writer,
}


@pytest.fixture(scope="module")
def filled(pgauthkit_server: TestServer) -> Iterator[Engine]:
    """A database with one account, and with one row of each table that leads to it."""
    with pgauthkit_server.database() as url:
        engine = create_engine(url)
        with Db(engine) as db, db.begin():
            team = Team(id="t1", name="Engineers")
            db.add(Account(id="c1", email="ada@example.com", phone="1 2", team=team, posts=[Post(title="Hello")]))
            db.flush()
            db.add_all([Note(user_id="c1"), Order(user_id="c1")])
        yield engine
        engine.dispose()


@pytest.fixture
def db(filled: Engine) -> Iterator[Db]:
    """A session there, whose changes are undone."""
    with Db(filled) as db:
        yield db


@pytest.mark.parametrize("name", WAYS)
def test_every_way(db: Db, name: str) -> None:
    """Whichever way a user comes, it is an Account, and its own columns come with the row.

    But for what an INSERT of SQLAlchemy's own returns: they are read there when they are asked for.
    """
    found = WAYS[name](db)
    assert type(found) is Account
    assert found.pgauthkit_kind == "user"
    assert {"phone", "locale", "team_id"} <= vars(found).keys() or name in {"insert … returning", "upsert … returning"}
    assert found.phone in {"12", None}


def test_one_object(db: Db) -> None:
    """In a session, user and account are one object, which our own relations take as well."""
    user = db.get(User, "c1")
    assert user is db.get(Account, "c1")
    now = sa.func.now()
    times = dict.fromkeys(("authenticated_at", "last_used_at", "access_expires_at"), now)
    hashes = dict.fromkeys(("selector_hash", "access_token_hash", "refresh_token_hash"), b"")
    opened = Session(user=user, idle_expires_at=now, expires_at=now, **times, **hashes)
    db.add(opened)
    db.flush()
    assert Repository(db, Session).get(id=opened.id, include=["user"]).user is user


def test_both_ways(db: Db) -> None:
    """Includes go from users to the application's rows and back, also through relations that name `User`."""
    (note,) = Repository(db, Note).find_many(include=["user.team", "user.posts.author", "user.orders"])
    user: Any = note.user
    assert (user.team.name, user.posts[0].title, user.posts[0].author) == ("Engineers", "Hello", user)
    assert [order.id for order in user.orders] == [1]
    (team,) = Repository(db, Team).find_many(include={"members": {"include": ["posts"]}, "people": {"take": 1}})
    assert team.members == team.people == [user]
    (team,) = Repository(db, Team).find_many(include="people.posts")
    people: Any = team.people
    assert [post.title for post in people[0].posts] == ["Hello"]
    (post,) = Repository(db, Post).find_many(include=["writer.team.members"])
    writer: Any = post.writer
    assert writer.team.members == [writer]


def test_repository(db: Db) -> None:
    """Every method of a repository knows the application's columns, keys, defaults and validators."""
    users = UserRepository(db, Account)
    made = users.create(email="Grace@example.com", phone="3 4", team_id="t1", posts=[Post(title="Hi")])
    assert (made.email, made.phone, made.locale) == ("grace@example.com", "34", "fr")
    assert UserRepository(db).find_unique(phone="34") is made
    assert users.create_many([{"email": f"{n}@example.com", "phone": f"5{n}"} for n in range(3)]) == 3
    assert users.upsert({"phone": "50"}, create={"email": "x@example.com"}, update={"locale": "it"}).locale == "it"
    assert users.update({"id": made.id}, phone=None).phone is None
    assert users.update_many(Account.phone.like("5%"), team_id="t1") == 3
    assert users.count(Account.team.has(name="Engineers")) == 5
    assert users.set_role(made.id, "ADMIN").role == "ADMIN"  # type: ignore[arg-type]  # as a host may
    assert users.delete_many(Account.phone == "52") == 1
    assert users.find_by_email("Ada@Example.com") is db.get(User, "c1")


def test_pickle(db: Db) -> None:
    """A detached account goes through pickle, with its own columns."""
    copy = pickle.loads(pickle.dumps(db.get(User, "c1")))  # noqa: S301 - our own
    assert (type(copy), copy.phone) == (Account, "12")


def test_sign_in(pgauthkit_engine: Engine, pgauthkit_auth: AuthService) -> None:
    """A sign-up makes an account with the database's defaults, and no change by the service touches its columns."""
    link = pgauthkit_auth.request_magic_link("new@example.com")
    signed_in = pgauthkit_auth.verify_magic_link(link.token.reveal())
    user_id = signed_in.user.user_id
    pgauthkit_auth.deactivate_user(user_id)
    pgauthkit_auth.activate_user(user_id)
    pgauthkit_auth.change_email(user_id, "newer@example.com")
    again = pgauthkit_auth.request_magic_link("newer@example.com")
    pgauthkit_auth.verify_magic_link(again.token.reveal())
    with Db(pgauthkit_engine) as db:
        account = UserRepository(db, Account).get(id=user_id, include=["sessions", "posts"])
    assert (account.email, account.phone, account.locale, account.posts) == ("newer@example.com", None, "en", [])
    assert len(account.sessions) == 2


def test_statements() -> None:
    """No statement of the service has a word of the application's columns, their defaults included."""
    modules = (codes, magic_links, purge, revocation, sessions, users)
    known = [one for module in modules for one in vars(module).values() if isinstance(one, Statement)]
    known.append(magic_links.request_magic_link(()))
    assert not [one for one in known for word in ("phone", "locale", "team_id", "kind") if word in one.sql]


def test_fixtures(pgauthkit_make_user: MakeUser) -> None:
    """The fixtures make accounts, with columns of the application's."""
    made = pgauthkit_make_user("ada@example.com", phone="1")
    assert isinstance(made, Account)
    assert made.phone == "1"


@settings(max_examples=3)
@given(user=any_users())
def test_strategies(user: User) -> None:
    """The strategies of hypothesis make accounts."""
    assert type(user) is Account


@pytest.mark.anyio
async def test_async(pgauthkit_async_engine: AsyncEngine, pgauthkit_async_auth: AsyncAuthService) -> None:
    """In async code nothing has to be read later, whether a relation names the class or `User`."""
    link = await pgauthkit_async_auth.request_magic_link("ada@example.com")
    signed_in = await pgauthkit_async_auth.verify_magic_link(link.token.reveal())
    async with AsyncSession(pgauthkit_async_engine) as db:
        accounts = AsyncUserRepository(db, Account)
        account = await accounts.update({"id": signed_in.user.user_id}, phone="1")
        db.add(Post(title="Hello", author_id=account.id))
        found = (await db.scalars(select(Post).options(joinedload(Post.writer)))).one()
        writer: Any = found.writer
        assert (writer.phone, writer.locale) == ("1", "de")
        ensured = await AsyncUserRepository(db).ensure("ada@example.com")
        assert ensured is account
        posts = (await accounts.get(id=account.id, include="posts.author")).posts
        assert posts[0].author.phone == "1"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_refused() -> None:
    """A plain user beside accounts, a second class and a class below the first are refused, and the first is named."""
    with pytest.raises(ConfigError, match="Account is the class of users: make one of these"):
        User(email="ada@example.com")
    for base in (User, Account):
        with pytest.raises(ConfigError, match=r"Guest cannot be a class of users: shop\.Account is the one already"):
            type("Guest", (base,), {})
    assert type(Account(email="ada@example.com")) is Account
