"""The application: `flask --app notes run`."""

import os
from typing import Final

from flask import Flask, Response, abort, request
from sqlalchemy import Engine

from notes import devices, identity, pages, sign_in
from notes.mail import Mailer, PrintingMailer, SmtpMailer
from notes.parts import NAME, Parts
from pgauthkit import AuthService
from pgauthkit.database import create_engine

__all__ = ["create_app"]

# A page is for one person, and the address of a link has its token in it, which no other site shall get. Pages have no
# script, load nothing from elsewhere, and are put into no frame.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(
    engine: Engine | None = None,
    *,
    auth: AuthService | None = None,
    mailer: Mailer | None = None,
    base_url: str | None = None,
) -> Flask:
    """Put the parts together; what is not given comes from the environment, and nothing is connected to yet."""
    app = Flask(__name__)
    host = os.environ.get("NOTES_SMTP_HOST")
    engine = engine or create_engine()
    app.extensions[NAME] = Parts(
        engine=engine,
        auth=auth or AuthService(engine),
        mailer=mailer or (SmtpMailer(host) if host else PrintingMailer()),
        base_url=base_url or os.environ.get("NOTES_BASE_URL", "http://localhost:5000"),
    )
    app.before_request(_refuse_other_sites)
    app.after_request(_keep_private)
    app.register_error_handler(identity.NotSignedInError, identity.sign_in_first)
    app.register_blueprint(sign_in.blueprint)
    app.register_blueprint(devices.blueprint)
    app.register_blueprint(pages.blueprint)
    return app


def _refuse_other_sites() -> None:
    # A second wall beside SameSite: every browser of today says where a request comes from.
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        abort(403)


def _keep_private(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
