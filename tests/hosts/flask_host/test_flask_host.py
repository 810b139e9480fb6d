"""A host on Flask-SQLAlchemy."""

from flask import Flask
from flask_shop import Account, Item, db
from journey import *  # noqa: F403 - pytest collects them from here
from sqlalchemy import select

from pgauthkit.models import User
from pgauthkit.repositories import Repository, UserRepository


def test_repositories_and_sessions_of_the_host(pgauthkit_url: str) -> None:
    """Rows of `db.Model` and accounts are one unit of work in `db.session`, and included both ways."""
    app = Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = pgauthkit_url.replace("postgresql:", "postgresql+psycopg:")
    db.init_app(app)
    with app.app_context():
        session = db.session()
        ada = UserRepository(session, Account).create(email="ada@example.com", nickname="Ada")
        Repository(session, Item).create(title="Lamp", author=ada)
        db.session.add(Item(title="Desk", author_id=ada.id))
        db.session.commit()
        db.session.expunge_all()
        account = UserRepository(session, Account).get(email="ada@example.com", include={"items": {"take": 1}})
        assert len(account.items) == 1
        (desk, _) = Repository(session, Item).find_many(order_by="title", include="author.items")
        assert desk.author is account is db.session.scalars(select(User)).one()
        assert len(account.items) == 2
        db.session.remove()
        db.engine.dispose()
