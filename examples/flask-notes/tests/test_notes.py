"""The notes themselves."""

import re
from collections.abc import Callable

from flask.testing import FlaskClient
from notes.models import Note
from sqlalchemy import Engine

from pgauthkit.ops.migrate import status
from pgauthkit.repositories import Repository, transaction

SignedIn = Callable[[str], FlaskClient]


def test_a_deleted_note_can_be_taken_back(signed_in: SignedIn, pgauthkit_engine: Engine) -> None:
    """A note is written, deleted, still in the table, and taken back."""
    ada = signed_in("ada@example.com")
    ada.post("/notes", data={"text": "Buy milk"})
    page = ada.get("/").text
    found = re.search(r"/notes/(\w+)/delete", page)
    assert "Buy milk" in page
    assert found
    for _ in range(2):
        assert ada.post(f"/notes/{found[1]}/delete").status_code == 303
    assert "<s>Buy milk</s>" in ada.get("/").text
    with transaction(pgauthkit_engine) as db:
        notes = Repository(db, Note)
        assert notes.find_unique(id=found[1]) is None
        assert notes.get(id=found[1], with_deleted=True).deleted_at
    ada.post(f"/notes/{found[1]}/restore")
    assert "<s>" not in ada.get("/").text


def test_nobody_sees_or_deletes_the_note_of_another(signed_in: SignedIn) -> None:
    """Another's note is not shown, and is not there to be deleted."""
    ada, eve = signed_in("ada@example.com"), signed_in("eve@example.com")
    ada.post("/notes", data={"text": "Secret"})
    found = re.search(r"/notes/\w+/delete", ada.get("/").text)
    assert found
    assert "Secret" not in eve.get("/").text
    assert eve.post(found[0]).status_code == 404
    assert "Secret" in ada.get("/").text


def test_both_tracks_of_migrations_are_applied(pgauthkit_engine: Engine) -> None:
    """The test database has this application's revisions as well as pgauthkit's, each in a table of its own."""
    assert status(pgauthkit_engine).pending == ()
    with pgauthkit_engine.connect() as connection:
        (version,) = connection.exec_driver_sql("SELECT version_num FROM public.alembic_version").one()
    assert version == "0001"
