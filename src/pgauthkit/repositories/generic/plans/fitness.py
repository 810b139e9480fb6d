"""Which models and engines a plan is good for: what else may be listened to, or loaded, goes through a session."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Engine, orm
from sqlalchemy.orm import ColumnProperty, InstrumentedAttribute

from pgauthkit.database.suitability import speaks_utf8
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.plans.detached import plain_class
from pgauthkit.repositories.generic.plans.internals import (
    engine_listeners,
    session_listeners,
    statement_listeners,
    write_listeners,
)

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

__all__ = ["unfit_connection", "unfit_engine", "unfit_model", "unfit_session", "unfit_write"]


def unfit_engine(engine: Engine, *, ours: int) -> str | None:
    """Return why calls on an engine go through a session, for as long as it is so; None where they need not.

    Args:
        engine: of the host.
        ours: how many of our own listen to its statements.
    """
    if session_listeners():
        return "something listens to all sessions"
    if engine_listeners(engine, ours=ours):
        return "something listens to the engine"
    if engine.get_execution_options().get("schema_translate_map"):
        return "the engine translates schemas"
    return None


def unfit_session(db: orm.Session) -> str | None:
    """Return why calls in a session go through SQLAlchemy's own loading, for as long as it is so; None where not."""
    dispatch: Any = db.dispatch
    if dispatch.do_orm_execute or dispatch.loaded_as_persistent:
        return "something listens to what the session loads"
    # The option that SQLAlchemy's constructor sets, and a method that is made to be overridden.
    if db.bind is None or cast("Any", db).binds or type(db).get_bind is not orm.Session.get_bind:
        return "the session has no engine, or several"
    if cast("Any", db).execution_options:
        return "the session has execution options"
    return None if db.bind.dialect.driver == "psycopg" else "the driver is not psycopg"


def unfit_connection(connection: Connection, *, ours: int) -> str | None:
    """Return why statements on the connection of a session go through SQLAlchemy; None where they need not.

    Args:
        connection: of the session, for the model.
        ours: how many of our own listen to its statements.
    """
    if statement_listeners(connection, ours=ours):
        return "something listens to the connection"
    if "schema_translate_map" in connection.get_execution_options():
        return "the connection translates schemas"
    driver: Any = connection.connection.driver_connection
    return None if speaks_utf8(driver) else "the connection speaks another encoding"


@cache
def unfit_model(of: Description[Any]) -> str | None:
    """Return why rows of a model are loaded by a session; None where they need not be."""
    return next(_reasons(of), None)


def unfit_write(of: Description[Any]) -> str | None:
    """Return why rows of a model are written by a session; None where they need not be."""
    if write_listeners(of.mapper):
        return f"something listens to the writing of {of.name}"
    return unfit_model(of) or _unfit_columns(of)


@cache
def _unfit_columns(of: Description[Any]) -> str | None:
    if of.mapper.version_id_col is not None:
        return f"{of.name} has a version"
    defaults = (default for column in of.columns.values() for default in (column.default, column.onupdate))
    return f"{of.name} has a sequence" if any(default and default.is_sequence for default in defaults) else None


def _reasons(of: Description[Any]) -> Iterator[str]:
    mapper, model = of.mapper, of.model
    if any(other is not mapper for other in mapper.polymorphic_map.values()):
        yield f"a row of {of.name} may be of several classes"
    if any(prop.deferred for prop in mapper.column_attrs) or len(mapper.column_attrs) != len(of.columns):
        yield f"{of.name} has columns that are not of its table, or are not always read"
    own = any(getattr(model, name) is not getattr(object, name) for name in ("__new__", "__setattr__"))
    if own or plain_class(model) is None:
        yield f"{of.name} has its own way to make objects"
    if any(map(_is_compared_otherwise, _attributes(of))):
        yield f"{of.name} has a column with comparisons of its own"


def _attributes(of: Description[Any]) -> Iterator[InstrumentedAttribute[Any]]:
    return (of.attribute(name) for name in of.columns)


def _is_compared_otherwise(attribute: InstrumentedAttribute[Any]) -> bool:
    """Tell whether a host's comparison may look at a value, which a plan does not have."""
    kind = cast("TypeEngine[Any]", attribute.type)
    is_ours = type(attribute.comparator) is ColumnProperty.Comparator
    factory: object = kind.comparator_factory
    return not is_ours or not str(getattr(factory, "__module__", "")).startswith("sqlalchemy.")
