"""Values given for columns: validated as the model does it, checked, and turned into what a statement takes."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Column, Integer, func, null
from sqlalchemy.sql import ClauseElement

from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.mapping.comparisons import compared
from pgauthkit.repositories.generic.values import check_value, is_json

__all__ = [
    "assigned",
    "checked",
    "evaluated",
    "evaluated_rows",
    "touched",
    "validated",
    "validated_columns",
    "versioned",
]

# A column, what validates it, if anything, and what it is told besides: that nothing is removed.
Step = tuple[str, Any, Sequence[bool]]


def validated(of: Description[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as the model's validators leave them."""
    if not of.mapper.validators:
        return dict(values)
    columns = validated_columns(of, {name: [value] for name, value in values.items()})
    return {name: column[0] for name, column in columns.items()}


def validated_columns(
    of: Description[Any], columns: Mapping[str, Sequence[Any]], constant: Mapping[str, Any] | None = None
) -> Mapping[str, Sequence[Any]]:
    """Return the values of many rows as the model's validators leave them, row by row.

    SQL expressions are none of their business. They run on an object that is thrown away, and that has nothing but the
    values before.

    Args:
        of: the model.
        columns: the values, all equally many, by the names of the columns.
        constant: what every row has besides, for validators to see.
    """
    validators = cast("Mapping[str, Any]", of.mapper.validators)
    names = list(columns)
    # What comes behind the last of them, no validator sees or changes.
    while names and names[-1] not in validators:
        names.pop()
    if not names:
        return columns
    probe: object = of.mapper.class_manager.new_instance()
    vars(probe).update(constant or {})
    # By hand: setattr, with SQLAlchemy's events around it, would take a third of the time of `create_many`.
    steps = [(name, *_validator(validators, name)) for name in names]
    validate = _one_by_one if len(steps) == 1 else _together
    return {**columns, **validate(probe, steps, [columns[name] for name in names])}


def _one_by_one(probe: object, steps: Sequence[Step], columns: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Validate one column, as `_together` would, in half of the time."""
    (name, validator, removes), seen, found = steps[0], vars(probe), list[Any]()
    blank, append = dict(seen), found.append
    passed = tuple(kind for kind in set(map(type, columns[0])) if issubclass(kind, ClauseElement))
    for value in columns[0]:
        append(value if passed and isinstance(value, passed) else validator(probe, name, value, *removes))
        if seen != blank:
            seen.clear()
            seen.update(blank)
    return {name: found}


def _together(probe: object, steps: Sequence[Step], columns: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name, *_ in steps}
    seen = vars(probe)
    blank, add = dict(seen), [(name, values.append) for name, values in found.items()]
    # No validated row is kept: thousands of them would have the garbage collector look at everything, again and again.
    for row in zip(*columns, strict=True):
        seen.clear()
        seen.update(blank)
        for (name, validator, removes), value in zip(steps, row, strict=True):
            if not isinstance(value, ClauseElement):
                seen[name] = value if validator is None else validator(probe, name, value, *removes)
        for (name, append), value in zip(add, row, strict=True):
            append(seen.get(name, value))
    return found


def _validator(validators: Mapping[str, Any], name: str) -> tuple[Any, Sequence[bool]]:
    validator, options = validators.get(name, (None, {"include_removes": False}))
    return validator, (False,) if options["include_removes"] else ()


def assigned(of: Description[Any], values: Mapping[str, Any]) -> dict[Column[Any], Any]:
    """Return the values by columns, validated and checked.

    Raises:
        RepositoryError: there is no such column, or the value does not fit it.
    """
    of.require(values)
    found = {of.columns[name]: _settled(value) for name, value in validated(of, values).items()}
    for column, value in found.items():
        check_value(column, value)
    # None is NULL in any column: SQLAlchemy would store it as the null of JSON, for which there is `JSON.NULL`.
    return {column: null() if value is None and is_json(column) else value for column, value in found.items()}


def checked(of: Description[Any], values: Mapping[str, Any]) -> None:
    """Make sure that values of columns, with nothing to validate them, can be stored.

    Raises:
        RepositoryError: one does not fit its column.
    """
    columns = of.columns
    for name, value in values.items():
        check_value(columns[name], value)


def _settled(value: object) -> object:
    return compared(value) if isinstance(value, ClauseElement) else value


def touched(of: Description[Any], changes: Mapping[Column[Any], Any]) -> dict[Column[Any], Any]:
    """Return the changes, and with them what the model's `onupdate` says of the other columns.

    SQLAlchemy adds it to an UPDATE by itself, but not to ON CONFLICT DO UPDATE, and not where a function asks for the
    other columns and the rows are returned as objects.
    """
    defaults = {column: column.onupdate for column in of.columns.values() if column not in changes and column.onupdate}
    given = {column.key: value for column, value in changes.items()}
    return versioned(of, {**changes, **{column: evaluated(default, given) for column, default in defaults.items()}})


def versioned(of: Description[Any], changes: Mapping[Column[Any], Any]) -> dict[Column[Any], Any]:
    """Return the changes, and with them the next version of a row whose class has a `version_id_col`.

    SQLAlchemy moves it in a flush only; without it a form that was opened before would overwrite the changes.
    """
    moved: dict[Column[Any], Any] = {of.columns[name]: value for name, value in of.version.items()}
    for column in moved:
        if isinstance(column.type, Integer):
            moved[column] = func.coalesce(column, 0) + 1
    return {**moved, **changes}


def evaluated(default: Any, row: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a default of SQLAlchemy, for any type
    """Return the value, or the SQL expression, that a column's default has for a row."""
    if default.is_sequence:
        return default.next_value()
    return default.arg(_Context(row)) if default.is_callable else default.arg


def evaluated_rows(default: Any, columns: Mapping[str, Sequence[Any]], size: int) -> list[Any]:  # noqa: ANN401 - the same
    """Return the values that a default computes in Python for many rows.

    Args:
        default: one that `is_callable`.
        columns: what the rows have besides.
        size: how many they are.
    """
    compute = default.arg
    return [compute(_OfMany(columns, number)) for number in range(size)]


class _Context:
    """What SQLAlchemy hands to a default that is computed from the other columns."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row

    @property
    def current_parameters(self) -> Mapping[str, Any]:
        return self._row

    def get_current_parameters(self, *, isolate_multiinsert_groups: bool = True) -> Mapping[str, Any]:  # noqa: ARG002 - SQLAlchemy's signature
        return self.current_parameters


class _OfMany(_Context):
    """The same for one of many rows, which is put together where it is asked for, as by few defaults."""

    def __init__(self, columns: Mapping[str, Sequence[Any]], number: int) -> None:
        self._columns = columns
        self._number = number

    @property
    def current_parameters(self) -> Mapping[str, Any]:
        return {name: values[self._number] for name, values in self._columns.items()}
