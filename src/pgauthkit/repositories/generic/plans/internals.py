"""What plans use of SQLAlchemy beyond its documented names: all of it, so that another version has one place to try.

What sessions keep of objects is in `identity`. Tried with SQLAlchemy 2.1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, cast

import sqlalchemy
from sqlalchemy import BindParameter, Column, Connection, Dialect, Engine, Enum, Executable, Row, Select, Table, orm
from sqlalchemy.engine.result import result_tuple
from sqlalchemy.orm import InstanceState, Mapper
from sqlalchemy.orm.collections import CollectionAdapter, InstrumentedList
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from pgauthkit.repositories.generic.conditions import CONSTANT
from pgauthkit.repositories.generic.description import Description

__all__ = [
    "ADAPTER",
    "MINORS",
    "STATE",
    "adapt",
    "commit_new",
    "converter_of",
    "engine_listeners",
    "enumerations",
    "fail",
    "has_plain_lists",
    "is_plainly_made",
    "is_tried",
    "load_listeners",
    "new_state",
    "parameters",
    "plain_column",
    "reader_of",
    "row_maker",
    "session_listeners",
    "shape_of",
    "statement_listeners",
    "without_entities",
    "write_listeners",
]

S = TypeVar("S", bound=Executable)
Binds: TypeAlias = Sequence[BindParameter[Any]]
Converter: TypeAlias = Callable[[Any], Any]

MINORS: Final = ("2.1",)
# Where an object has what SQLAlchemy knows of it.
STATE: Final = "_sa_instance_state"
# Where a collection has what ties it to its object.
ADAPTER: Final = "_sa_adapter"
# That of a class with none of its own, which sets attributes.
_CONSTRUCTOR: Final = orm.registry().constructor
# Who listens to any session, by event: of a session that never does anything.
_ANY_SESSION: Final = tuple(
    getattr(orm.Session().dispatch, name).parent_listeners
    for name in sorted(cast("Any", orm.Session.dispatch)._event_names)
)


def is_tried() -> bool:
    """Tell whether the version of SQLAlchemy that is installed is one of those; with another one, no plan is made."""
    return sqlalchemy.__version__.startswith(tuple(f"{minor}." for minor in MINORS))


def shape_of(element: ClauseElement) -> tuple[tuple[Any, ...], Binds] | None:
    """Return what two expressions have in common that differ in their values alone, and the places of the values."""
    key = cast("Any", element)._generate_cache_key()
    return None if key is None else (key.key, key.bindparams)


def parameters(compiled: SQLCompiler, binds: Binds) -> tuple[Mapping[str, int], Sequence[object]] | None:
    """Return which of the given places each parameter of a statement takes its value from, by its name in the text.

    Behind these places come those of constants of ours, which are returned as well. None where there is a parameter
    that is neither, as a constant of a relation, or that the text has not as it is.
    """
    if compiled.post_compile_params or compiled.literal_execute_params:
        return None
    numbers = {bind: number for number, bind in enumerate(binds)}
    escaped: Mapping[str, str] = compiled.escaped_bind_names
    found: dict[str, int] = {}
    constants: list[object] = []
    for bind, name in cast("Mapping[Any, str]", compiled.bind_names).items():
        # A copy, as of a condition that was adapted, knows what it was copied from.
        number = next((numbers[origin] for origin in bind._cloned_set if origin in numbers), None)
        if number is None and bind._orig_key == CONSTANT:
            number = len(binds) + len(constants)
            constants.append(bind.value)
        if number is None:
            return None
        found[escaped.get(name, name)] = number
    return found, constants


def enumerations(compiled: SQLCompiler) -> list[int]:
    """Return which columns of a statement's rows are enumerations of the server."""
    kinds = [column.type for column in cast("Any", compiled)._result_columns]
    return [place for place, kind in enumerate(kinds) if isinstance(kind, Enum) and kind.native_enum]


def converter_of(compiled: SQLCompiler, name: str) -> Converter | None:
    """Return what a type of SQLAlchemy makes of a value before the driver gets it."""
    return cast("Converter | None", cast("Any", compiled)._bind_processors.get(name))


def reader_of(kind: Any, dialect: Dialect, oid: int) -> Converter | None:  # noqa: ANN401 - any type
    """Return what a type of SQLAlchemy makes of a value that the driver has read."""
    read = cast("Converter | None", kind._cached_result_processor(dialect, oid))
    # An enumeration has few values: each is looked up once, and then found by a dictionary.
    return _Remembered(read).__getitem__ if read is not None and type(kind) is Enum else read


class _Remembered(dict[Any, Any]):
    def __init__(self, read: Converter) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: Any) -> Any:  # noqa: ANN401 - of any type
        self[value] = self._read(value)
        return self[value]


def row_maker(statement: Select[*tuple[Any, ...]]) -> Callable[[Sequence[Any]], Row[*tuple[Any, ...]]]:
    """Return what makes a row of values, which are known by their names and by what was selected, as in a session."""
    described = statement.column_descriptions
    selected = zip(described, statement.selected_columns, strict=True)
    make: Callable[..., Any] = result_tuple(
        [one["name"] for one in described], [(one["expr"], column) for one, column in selected]
    )
    return make


def new_state(instance: object, mapper: Mapper[Any], key: tuple[Any, ...], callables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - SQLAlchemy's
    """Return the state of an object that was read and is in no session."""
    state: InstanceState[Any] = InstanceState(instance, mapper.class_manager)
    state.key = key
    state.callables = dict(callables)  # each its own: what is expired is taken out of it
    return state


def has_plain_lists(model: type[Any], name: str) -> bool:
    """Tell whether a relation is a list, as most are, and nobody waits for one to be made."""
    impl = cast("Any", model)._sa_class_manager[name].impl
    return getattr(impl, "collection_factory", None) is InstrumentedList and not impl.dispatch.init_collection


def adapt(state: Any, name: str, made: object) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Tie a list of a relation to the object that has it."""
    CollectionAdapter(state.manager[name].impl, state, cast("Any", made))


def is_plainly_made(of: Description[Any], values: Mapping[str, object]) -> bool:
    """Tell whether a constructor would do no more than keep these values, each in the attribute of a column."""
    mapper, manager = of.mapper, cast("Any", of.mapper.class_manager)
    if manager.original_init is not _CONSTRUCTOR or mapper.polymorphic_on is not None:
        return False
    # One is SQLAlchemy's own, which makes sure that mappers are configured.
    if len(manager.dispatch.init) > 1 or not values.keys() <= of.columns.keys():
        return False
    return not any(manager[name].dispatch.set for name in values)


def commit_new(instance: object, written: Mapping[str, object], callables: Mapping[str, Any]) -> None:
    """Make an object that was new one of a row that was inserted, as it is after a session has ended.

    Args:
        instance: of a mapped class, with what was inserted.
        written: what was written, and what the server has added.
        callables: what loads, or refuses, relations.
    """
    state: Any = getattr(instance, STATE)
    state.dict.update(written)
    state.key = state.mapper._identity_key_from_state(state)
    state._commit_all(state.dict)
    state.callables = {**state.callables, **callables}


def fail(connection: Connection, error: BaseException) -> NoReturn:
    """Raise an error of the driver as SQLAlchemy does, which gives up a connection that is lost."""
    handle = cast("Callable[..., NoReturn]", cast("Any", connection)._handle_dbapi_exception)
    handle(error, None, None, None, None)


def statement_listeners(connection: Connection, *, ours: int) -> bool:
    """Tell whether anyone but us is told of each statement on a connection, by an event or by a log.

    Args:
        connection: of a session.
        ours: how many of our own listen.
    """
    known, engine = cast("Any", connection), cast("Any", connection.engine)
    if known._echo:
        return True
    if not (known._has_events or engine._has_events or engine.dialect._has_events):
        return False
    dispatch, of_dialect = known.dispatch, engine.dialect.dispatch
    return bool(
        dispatch.before_execute
        or dispatch.after_execute
        or of_dialect.do_execute
        or of_dialect.do_execute_no_params
        or len(dispatch.before_cursor_execute) > ours
        or len(dispatch.after_cursor_execute) > ours
        or len(of_dialect.handle_error) > ours
    )


def session_listeners() -> bool:
    """Tell whether anyone listens to all sessions."""
    return any(_ANY_SESSION)


def engine_listeners(engine: Engine, *, ours: int) -> bool:
    """Tell whether anyone but us listens to what an engine does.

    Args:
        engine: also one with options of its own.
        ours: how many of our own listen to each statement.
    """
    known, dialect = cast("Any", engine), cast("Any", engine.dialect)
    of, of_dialect = known.dispatch, dialect.dispatch
    # As SQLAlchemy asks before it looks for any. Then name by name: a loop would take five times as long.
    return bool(known._has_events or dialect._has_events) and (
        bool(of.before_execute or of.after_execute or of.begin or of.commit or of.rollback or of.engine_connect)
        or bool(of.set_connection_execution_options or of_dialect.do_execute or of_dialect.do_execute_no_params)
        or len(of.before_cursor_execute) > ours
        or len(of.after_cursor_execute) > ours
        or len(of_dialect.handle_error) > ours
    )


def without_entities(of: Description[Any], statement: S) -> S:
    """Return a statement, to which SQLAlchemy does not add what rows of a class must meet: our conditions say it.

    Args:
        of: the model.
        statement: on its table, with conditions on the class.
    """
    if of.kinds:
        cast("Any", statement)._propagate_attrs = {}
    return statement


def load_listeners(mapper: Mapper[Any]) -> bool:
    """Tell whether anyone waits for objects of a class to be loaded."""
    dispatch = cast("Any", mapper.class_manager).dispatch
    return bool(dispatch.load) or bool(dispatch.refresh)


def write_listeners(mapper: Mapper[Any]) -> bool:
    """Tell whether anyone waits for objects of a class to be written."""
    dispatch = cast("Any", mapper).dispatch
    before = bool(dispatch.before_insert or dispatch.before_update or dispatch.before_delete)
    return before or bool(dispatch.after_insert or dispatch.after_update or dispatch.after_delete)


def plain_column(element: object) -> Column[Any] | None:
    """Return the column of a table that stands in a relation's condition, as the table has it; None if it is none."""
    found: Any = cast("Any", element)._deannotate() if isinstance(element, Column) else None
    table: object = getattr(found, "table", None)
    return cast("Any", table).columns.get(found.key) if isinstance(table, Table) else None
