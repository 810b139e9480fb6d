"""The notes of whoever is signed in: list them, write one, delete one, take it back."""

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug import Response

from notes.identity import current
from notes.models import Note
from notes.parts import parts
from pgauthkit.errors import NotFoundError
from pgauthkit.repositories import Repository, transaction

__all__ = ["blueprint"]

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def index() -> str:
    """Show the notes, and those that can be taken back."""
    who = current()
    with transaction(parts().engine) as db:
        notes = Repository(db, Note).find_many(
            owner_id=who.user_id, order_by=[Note.created_at.desc()], with_deleted=True
        )
        kept, deleted = ([note for note in notes if bool(note.deleted_at) is gone] for gone in (False, True))
        return render_template("notes.html", who=who, notes=kept, deleted=deleted)


@blueprint.post("/notes")
def write() -> Response:
    """Keep a note."""
    who = current()
    with transaction(parts().engine) as db:
        Repository(db, Note).create(text=request.form["text"], owner_id=who.user_id)
    return redirect("/", 303)


@blueprint.post("/notes/<note_id>/<any(delete, restore):what>")
def change(note_id: str, what: str) -> Response:
    """Delete a note softly, or take it back; another's note is none."""
    who = current()
    with transaction(parts().engine) as db:
        notes = Repository(db, Note)
        note = notes.find_first(Note.id == note_id, owner_id=who.user_id, with_deleted=True)
        if note is None:
            abort(404)
        try:
            (notes.delete if what == "delete" else notes.restore)({"id": note.id})
        except NotFoundError:
            pass  # It was pressed twice.
    return redirect("/", 303)
