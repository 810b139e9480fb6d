"""A host on SQLModel."""

from journey import *  # noqa: F403 - pytest collects them from here
from sqlalchemy import Engine
from sqlmodel import Session, select
from sqlmodel_shop import Account, Item

from pgauthkit.repositories import Repository, UserRepository


def test_repositories_and_sessions_of_the_host(pgauthkit_engine: Engine) -> None:
    """Rows of SQLModel and accounts are one unit of work, in SQLModel's own session too, and included both ways."""
    with Session(pgauthkit_engine) as db:
        ada = UserRepository(db, Account).create(email="ada@example.com", nickname="Ada")
        Repository(db, Item).create(title="Lamp", author_id=ada.id)
        db.add(Item(title="Desk", author=ada))
        db.commit()
    with Session(pgauthkit_engine) as db:
        account = UserRepository(db, Account).find_by_email("ada@example.com", include={"items": {"order_by": "title"}})
        assert account is not None
        assert [item.title for item in account.items] == ["Desk", "Lamp"]
        (desk, _) = Repository(db, Item).find_many(order_by="title", include="author.items")
        assert desk.author is account
        assert db.exec(select(Item).where(Item.title == "Lamp")).one().author is account
