"""`create_app`: the studio as an ASGI application."""

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import PrefixLoader
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette_admin.i18n import TimezoneConfig

from pgauthkit.database.sessions import check_engine
from pgauthkit.database.violations import violation
from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.models import User
from pgauthkit.models.account import standing
from pgauthkit.studio.editing import EditableView
from pgauthkit.studio.guard import Guard
from pgauthkit.studio.home import Home
from pgauthkit.studio.nonces import NonceLoader
from pgauthkit.studio.policy import Policy
from pgauthkit.studio.refusals import StudioAdmin
from pgauthkit.studio.unread import reading_all
from pgauthkit.studio.views import TableView

__all__ = ["create_app"]

_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
_HERE: Final = Path(__file__).parent
# With the transaction, so that behind a pooler nobody else has it.
_BEGIN: Final = text(
    "SELECT pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.set_config('statement_timeout', '30s', true)"
)
# So that what a deferred constraint refuses is a sentence of the form, and no failure of the commit.
_CHECK: Final = text("SET CONSTRAINTS ALL IMMEDIATE")


def create_app(
    engine: Engine, models: Sequence[type[Any]], *, token: str, write: bool = False, host: str = "127.0.0.1"
) -> Starlette:
    """Return the studio as an application for an ASGI server on the loopback.

    Args:
        engine: what reaches the database. Without `write` each transaction is begun as READ ONLY.
        models: the mapped classes to show, each with a table that exists. Columns marked `info={"secret": True}` are
            never read, nor are rows of classes that are not among them.
        token: what the first request must bring, as `/?token=…`, in exchange for a cookie.
        write: whether rows may be changed.
        host: the address it is served at; another `Host` than this, 127.0.0.1, localhost or [::1] is refused.

    Raises:
        ConfigError: the engine is none.

    Example:
        >>> app = create_app(engine, mapped_classes("blog.models:Base"), token=token)  # doctest: +SKIP
        >>> uvicorn.run(app, host="127.0.0.1", port=5555)  # doctest: +SKIP
    """
    check_engine(engine)
    keys = _keys(models)
    kind = EditableView if write else TableView
    views = [kind(model, keys) for model in models]
    admin = _admin(engine, views, write=write)
    app = Starlette(
        middleware=[
            Middleware(Policy),
            Middleware(TrustedHostMiddleware, allowed_hosts=[*_HOSTS, host], www_redirect=False),
            Middleware(Guard, token=token, write=write),
        ]
    )
    admin.mount_to(app)
    admin.app.add_exception_handler(SQLAlchemyError, _explain)
    return app


def _admin(engine: Engine, views: Sequence[TableView], *, write: bool) -> StudioAdmin:
    loader = NonceLoader()
    admin = StudioAdmin(
        _sessions(reading_all(engine if write else engine.execution_options(postgresql_readonly=True))),
        title="pgauthkit studio",
        base_url="/",
        route_name="studio",
        templates_dir=str(_HERE / "templates"),
        static_dir=str(_HERE / "static"),
        additional_loaders=[loader, PrefixLoader({"@nonced": loader})],
        index_view=Home(views),
        secret_key=secrets.token_hex(32),
        timezone_config=TimezoneConfig(timezone_cookie_name=None, use_user_locale_timezone=False),
    )
    database = f"{engine.url.database} on {engine.url.host or 'this machine'}"
    shown: Any = {"studio_database": database, "studio_write": write}
    admin.templates.env.globals.update(shown)
    for view in views:
        admin.add_view(view)
    return admin


def _sessions(engine: Engine) -> sessionmaker[Session]:
    sessions = sessionmaker(engine, expire_on_commit=False)

    def begin(_session: Session, _transaction: object, connection: Connection) -> None:
        connection.execute(_BEGIN)

    def check(session: Session, _context: object) -> None:
        session.connection().execute(_CHECK)

    event.listen(sessions, "after_begin", begin)
    event.listen(sessions, "after_flush", check)
    return sessions


def _keys(models: Sequence[type[Any]]) -> dict[type[Any], str]:
    keys: dict[type[Any], str] = {}
    for model in models:
        short = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", model.__name__).lower()
        long = f"{model.__module__.replace('.', '-')}-{short}".lower()
        keys[model] = long if short in keys.values() else short
    # Our relations lead to `User`, in whose place there may be the application's class.
    users = standing(User.__mapper__)
    return {**keys, User: keys[users]} if users in keys else keys


def _explain(_request: Request, error: Exception) -> Response:
    failure = violation(error)
    status = 503 if isinstance(failure, DatabaseUnavailableError) else 400
    return PlainTextResponse(f"{failure}\n", status_code=status)
