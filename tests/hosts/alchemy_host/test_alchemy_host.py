"""A host on advanced-alchemy."""

from advanced_alchemy.repository import SQLAlchemySyncRepository
from alchemy_shop import Account, Item
from journey import *  # noqa: F403 - pytest collects them from here
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from pgauthkit.repositories import Repository, UserRepository


class Items(SQLAlchemySyncRepository[Item]):
    """The host's own repository."""

    model_type = Item


class Accounts(SQLAlchemySyncRepository[Account]):
    """Its own repository over our users."""

    model_type = Account


def test_repositories_and_sessions_of_the_host(pgauthkit_engine: Engine) -> None:
    """Its repositories and ours take each other's models, in one unit of work, and include both ways."""
    with Session(pgauthkit_engine) as db:
        ada = UserRepository(db, Account).create(email="ada@example.com", nickname="Ada")
        Items(session=db).add(Item(title="Lamp", author=ada))
        Repository(db, Item).create(title="Desk", author_id=ada.id)
        db.commit()
    with Session(pgauthkit_engine) as db:
        account = Accounts(session=db).get_one(email="ada@example.com")
        assert account is UserRepository(db, Account).get(id=account.id, include={"items": {"order_by": "title"}})
        assert [item.title for item in account.items] == ["Desk", "Lamp"]
        (desk, _) = Repository(db, Item).find_many(order_by="title", include="author.items")
        assert desk.author is account
        assert Accounts(session=db).update(Account(id=account.id, nickname="A")).nickname == "A"
