"""`Description`: what a repository knows of a model: its table, columns, keys and relations, by attribute name."""

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Any, Final, Generic, TypeVar, cast

from sqlalchemy import Column, Table, inspect
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
from sqlalchemy.orm import InstrumentedAttribute, Mapper, RelationshipProperty

from pgauthkit.errors import NotFoundError, RepositoryError
from pgauthkit.models import SoftDelete, User
from pgauthkit.models.account import standing
from pgauthkit.repositories.generic.keys import UniqueKey, find_key, unique_keys
from pgauthkit.repositories.generic.values import is_json

__all__ = ["Description", "describe", "not_found"]

M = TypeVar("M")


class Description(Generic[M]):
    """A mapped class with one table. Columns go by the names of their attributes throughout."""

    def __init__(self, model: type[M]) -> None:
        try:
            mapper: Mapper[M] = inspect(model)
        except NoInspectionAvailable:
            raise RepositoryError(f"{model!r} is not a mapped class.") from None
        table: object = mapper.local_table
        if not isinstance(table, Table) or mapper.persist_selectable is not table:
            raise RepositoryError(f"{model.__name__} is not mapped to one table, which a repository needs.")
        self.model: Final = model
        self.mapper: Final = mapper
        self.table: Final = cast("Table", table)
        self.soft: Final = issubclass(model, SoftDelete)
        told_apart = any(column is mapper.polymorphic_on for column in self.table.columns)
        if mapper.inherits is not None and not told_apart:
            raise RepositoryError(f"{model.__name__} is not told from its relatives by a column of their table.")

    @property
    def name(self) -> str:
        """The name of the class, for messages."""
        return self.model.__name__

    @cached_property
    def columns(self) -> Mapping[str, Column[Any]]:
        """The columns, by the names of their attributes."""
        expressions = ((prop.key, prop.columns[0]) for prop in self.mapper.column_attrs)
        return {key: column for key, column in expressions if isinstance(column, Column)}

    @cached_property
    def keys_of_columns(self) -> Mapping[Column[Any], str]:
        """The names of attributes, by their columns."""
        return {column: key for key, column in self.columns.items()}

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """The attributes of the primary key."""
        return tuple(self.keys_of_columns[cast("Column[Any]", column)] for column in self.mapper.primary_key)

    @cached_property
    def kind(self) -> Mapping[str, object]:
        """What tells a new row of this class from those of its relatives in the same table; mostly nothing."""
        name = self.keys_of_columns.get(cast("Column[Any]", self.mapper.polymorphic_on))
        identity: object = self.mapper.polymorphic_identity
        return {} if name is None or identity is None else {name: identity}

    @property
    def version(self) -> Mapping[str, object]:
        """The column that tells the states of a row apart (`version_id_col`), and a new value; mostly nothing.

        Also nothing where the server counts (`version_id_generator=False`).
        """
        name = self.keys_of_columns.get(cast("Column[Any]", self.mapper.version_id_col))
        generator = self.mapper.version_id_generator
        return {name: cast("Any", generator)(None)} if name and generator else {}

    @cached_property
    def kinds(self) -> tuple[object, ...]:
        """What the rows of this class and of those below it have in that column; nothing where all rows are its own."""
        below = self.mapper.self_and_descendants if self.mapper.inherits is not None else ()
        return tuple(cast("object", mapper.polymorphic_identity) for mapper in below)

    @cached_property
    def unique_keys(self) -> tuple[UniqueKey, ...]:
        """Every set of columns by which the database knows one row, the primary key first."""
        deleted_at = self.columns["deleted_at"] if self.soft else None
        return tuple(unique_keys(self.table, self.keys_of_columns, self.primary_key, deleted_at))

    @property
    def relations(self) -> Mapping[str, RelationshipProperty[Any]]:
        """The relations; a host may add more at any time."""
        return cast("Mapping[str, RelationshipProperty[Any]]", self.mapper.relationships)

    def attribute(self, name: str) -> InstrumentedAttribute[Any]:
        """Return a column's attribute of the class.

        Raises:
            RepositoryError: there is no such column.
        """
        self.require([name])
        return cast("InstrumentedAttribute[Any]", getattr(self.model, name))

    @cached_property
    def documents(self) -> Collection[str]:
        """The attributes that are of JSON."""
        return frozenset(name for name, column in self.columns.items() if is_json(column))

    def require(self, names: Iterable[str]) -> None:
        """Make sure that each name is that of a column.

        Raises:
            RepositoryError: one is not; the message names the model and what it is instead.
        """
        for name in names:
            if name in self.columns:
                continue
            message = f"{self.name} has no column {name!r}.{self._instead(name)}"
            raise RepositoryError(message, columns=[name], table=self.table.name)

    def _instead(self, name: str) -> str:
        """Return what a name is, where it is not a column's, and what to give for it."""
        mapper = self.mapper
        if name in mapper.relationships:
            return " It is a relation: give its foreign key's columns."
        if name in mapper.synonyms:
            return f" It is a synonym: give {mapper.synonyms[name].name}."
        if name in mapper.composites:
            return f" It is a composite: give {', '.join(prop.key for prop in mapper.composites[name].props)}."
        if name in mapper.column_attrs:
            return " It is computed by the database: it is read, and asked for by an expression."
        return " It is an attribute of the class alone." if name in mapper.all_orm_descriptors else ""

    def takes(self, name: str) -> bool:
        """Tell whether an object can be given such an attribute: a column, a relation, a synonym, a hybrid's setter."""
        if name in self.mapper.column_attrs:
            return name in self.columns
        other = self.mapper.all_orm_descriptors.get(name)
        if isinstance(other, hybrid_property):
            return cast("Any", other).fset is not None
        return other is not None and not isinstance(other, hybrid_method)

    def unique_key(self, names: Collection[str], *, deleted_too: bool, partial: bool = False) -> UniqueKey:
        """Return the unique key that has exactly these columns.

        Raises:
            NotAUniqueKeyError: there is none; with `deleted_too`, none that holds for deleted rows as well; without
                `partial`, none that holds for more than some rows.
        """
        self.require(names)
        about = {"model": self.name, "table": self.table.name}
        return find_key(self.unique_keys, names, **about, deleted_too=deleted_too, partial=partial)


def describe(model: type[M]) -> Description[M]:
    """Return the description of a model, made once; for `User`, that of the application's class of users, if any.

    Raises:
        RepositoryError: the class is not mapped, or to more than one table.
    """
    if model is User:
        model = standing(User.__mapper__)
    if model not in _KNOWN:
        _KNOWN[model] = Description(model)
    return _KNOWN[model]


def not_found(of: Description[Any]) -> NotFoundError:
    """Return the error for a row that is not there."""
    return NotFoundError(f"There is no such row in {of.table.name}.", table=of.table.name)


_KNOWN: Final[dict[type[Any], Description[Any]]] = {}
