"""What sqlacodegen writes, with our tables left out and foreign keys to our classes."""

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlacodegen.generators import Base as Beginning, DeclarativeGenerator, LiteralImport
from sqlacodegen.models import ColumnAttribute, Model, ModelClass, RelationshipAttribute
from sqlacodegen.utils import get_compiled_expression, render_callable
from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    Engine,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import NullType

from pgauthkit.models import SCHEMA
from pgauthkit.ops.project.mapped import OURS
from pgauthkit.ops.project.verbatim import keep_colons, verbatim

__all__ = ["ModelsCode"]

# No subclass of a class whose key it shares: that makes a profile of a user a user. Values of an enum as they are: not
# every one makes the name of a member.
_OPTIONS: Final = ("nojoined", "nosyntheticenums", "nonativeenums", "use_inflect", "include_dialect_options")
# Of a table: what a model can say that has no table beside it.
_STORED: Final = frozenset({"postgresql_partition_by", "postgresql_with"})
_OURS: Final = {model.__table__.fullname: model.__name__ for model in OURS}
_UNFIT: Final = re.compile(r"[^a-z0-9]")
_KINDS: Final[Mapping[type, str]] = {PrimaryKeyConstraint: "pk", UniqueConstraint: "uq", ForeignKeyConstraint: "fk"}
# What a declarative class has of its own.
_TAKEN: Final = frozenset({"metadata", "registry", "type_annotation_map"})


class ModelsCode(DeclarativeGenerator):
    """A generator of sqlacodegen for one database.

    Args:
        metadata: the tables.
        engine: whose dialect writes types.
        base: `pgauthkit` or `plain`.

    Example:
        >>> ModelsCode(metadata, engine, "plain").generate()  # doctest: +SKIP
    """

    def __init__(self, metadata: MetaData, engine: Engine, base: str) -> None:
        super().__init__(metadata, engine, _OPTIONS)
        _spell_out(metadata)
        keep_colons(metadata)
        self._on_ours: Final = base == "pgauthkit"
        theirs = [table.name for table in metadata.tables.values() if table.schema != SCHEMA]
        self.tables: Final = len(theirs)
        # A table of the application's may be called users too.
        taken = {_UNFIT.sub("", name.casefold()).removesuffix("s") for name in theirs}
        self._prefix: Final = "Auth" if taken & {name.casefold() for name in _OURS.values()} else ""

    def generate(self) -> str:
        """Return the module."""
        with warnings.catch_warnings():
            # Tables that refer to each other have no order, and need none; and sqlacodegen reads what is deprecated.
            warnings.simplefilter("ignore")
            code = super().generate()
        return f'"""Models of the tables that a database had."""\n\n{code}'

    def generate_base(self) -> None:
        """Begin with our `Base`, or one of the module's own."""
        super().generate_base()
        if self._on_ours:
            imports = [LiteralImport("pgauthkit.models", "Base")]
            self.base: Beginning = Beginning(literal_imports=imports, declarations=[], metadata_ref="Base.metadata")

    def generate_models(self) -> list[Model]:
        """Leave out ours, the ways from them to the application's, and relations that write what others write."""
        theirs = [model for model in super().generate_models() if model.schema != SCHEMA]
        for model in theirs:
            if isinstance(model, ModelClass):
                model.relationships = [one for one in model.relationships if not _overlaps(one.constraint)]
                for relationship in model.relationships:
                    if relationship.target.schema == SCHEMA:
                        relationship.backref = None
        return theirs

    def collect_imports(self, models: Iterable[Model]) -> None:
        """Import ours, where something refers to them."""
        theirs = [model for model in models if model.schema != SCHEMA]
        super().collect_imports(theirs)
        keys = (key for model in theirs for key in model.table.foreign_key_constraints)
        for name in {_OURS[key.referred_table.fullname] for key in keys if key.referred_table.schema == SCHEMA}:
            alias = f"{name} as {self._prefix}{name}" if self._prefix else name
            self.add_literal_import("pgauthkit.models", alias)

    def generate_model_name(self, model: Model, global_names: set[str]) -> None:
        """Call ours as they are called; on our `Base`, no other is called so."""
        if model.schema == SCHEMA:
            model.name = f"{self._prefix}{_OURS[model.table.fullname]}"
        else:
            super().generate_model_name(model, global_names | {*_OURS.values()} if self._on_ours else global_names)

    def generate_column_attr_name(
        self, column_attr: ColumnAttribute, global_names: set[str], local_names: set[str]
    ) -> None:
        """Keep clear of what a declarative class has of its own."""
        super().generate_column_attr_name(column_attr, global_names | _TAKEN, local_names)

    def fix_column_types(self, table: Table) -> None:
        """Leave a default by a sequence to the database, which has it."""
        before = {column.name: column.server_default for column in table.columns}
        super().fix_column_types(table)
        for column in table.columns:
            if isinstance(column.default, Sequence):
                column.default, column.server_default = None, before[column.name]

    def render_column_attribute(self, column_attr: ColumnAttribute) -> str:
        """Annotate no column whose type SQLAlchemy does not know: it would look for one in the annotation."""
        if isinstance(column_attr.column.type, NullType):
            return f"{column_attr.name} = {self.render_column(column_attr.column, True, is_table=True)}"
        return str(super().render_column_attribute(column_attr))

    def render_column(self, column: Column[Any], show_name: bool, is_table: bool = False) -> str:  # noqa: FBT001, FBT002 - theirs
        """Say of a key that its values are the application's, where SQLAlchemy would make a sequence for it."""
        rendered = str(super().render_column(column, show_name, is_table))
        return f"{rendered.removesuffix(')')}, autoincrement=False)" if _is_given(column) else rendered

    def render_column_type(self, column: Column[Any]) -> str:
        """Write a type that has a name, or an array of it, with what it is made of."""
        kind, item = column.type, getattr(column.type, "item_type", None)
        named = self._named_type(item or kind)
        if named is None:
            return str(super().render_column_type(column))
        if item is None:
            return named
        dimensions = getattr(kind, "dimensions", None)
        return str(render_callable("ARRAY", named, kwargs={"dimensions": dimensions} if dimensions else {}))

    def _named_type(self, kind: object) -> str | None:
        if not isinstance(kind, DOMAIN | Enum):
            return None
        parts, options = self._domain(kind) if isinstance(kind, DOMAIN) else _enum(kind)
        self.add_import(kind)
        given = {name: repr(value) for name, value in options.items() if value}
        if "default" in given:  # A string would be the value.
            self.add_literal_import("sqlalchemy", "text")
            given["default"] = f"text({given['default']})"
        return str(render_callable(type(kind).__name__, *map(repr, parts), kwargs=given))

    def _domain(self, kind: Any) -> tuple[list[object], dict[str, object]]:  # noqa: ANN401 - it has no types
        if isinstance(kind.data_type, String) and kind.data_type.collation == "default":
            kind.data_type.collation = None
        self.add_import(kind.data_type)
        texts = {name: getattr(kind, name) for name in ("default", "check")}
        options: dict[str, object] = {name: verbatim(value) for name, value in texts.items() if value is not None}
        options |= {name: getattr(kind, name) for name in ("not_null", "constraint_name", "schema")}
        return [kind.name, kind.data_type], options

    def render_constraint(self, constraint: Constraint | ForeignKey) -> str:
        """Write a foreign key to ours with the class, whose metadata is another, and the name of a CHECK as it is."""
        rendered: str = super().render_constraint(constraint)
        if isinstance(constraint, CheckConstraint):
            was = get_compiled_expression(constraint.sqltext, self.bind)
            rendered = rendered.replace(repr(was), repr(verbatim(constraint.sqltext)), 1)
        keys = [constraint] if isinstance(constraint, ForeignKey) else getattr(constraint, "elements", [])
        for column in (key.column for key in keys if key.column.table.schema == SCHEMA):
            table: Table = column.table
            attribute = f"{self._prefix}{_OURS[table.fullname]}.{column.name}"
            rendered = rendered.replace(repr(f"{table.fullname}.{column.name}"), attribute)
        given = "".join(f", {name}={value!r}" for name, value in _options(constraint).items())
        rendered = f"{rendered.removesuffix(')')}{given})"
        if self._on_ours and isinstance(constraint, CheckConstraint) and constraint.name:
            self.add_literal_import("sqlalchemy.schema", "conv")
            rendered = rendered.replace(f"name={constraint.name!r}", f"name=conv({constraint.name!r})")
        return rendered

    def render_relationship(self, relationship: RelationshipAttribute) -> str:
        """Write a relation to ours with the class, whose registry is another."""
        rendered: str = super().render_relationship(relationship)
        name = relationship.target.name
        if relationship.target.schema == SCHEMA:
            rendered = rendered.replace(f"relationship({name!r}", f"relationship({name}")
        return rendered

    def render_index(self, index: Index) -> str:
        """Write the expressions of an index too."""
        parts = [self._part(part) for part in index.expressions]
        options = {name: repr(value) for name, value in _given(index.kwargs).items()}
        if "postgresql_where" in options:
            options["postgresql_where"] = repr(verbatim(index.kwargs["postgresql_where"]))
        unique = {"unique": True} if index.unique else {}
        return str(render_callable("Index", repr(index.name), *parts, kwargs={**options, **unique}))

    def _part(self, part: Any) -> str:  # noqa: ANN401 - whatever an index has
        if isinstance(part, Column):
            return repr(part.name)
        self.add_literal_import("sqlalchemy", "text")
        return f"text({verbatim(part)!r})"


def _overlaps(key: ForeignKeyConstraint | None) -> bool:
    """Tell whether a foreign key of several columns shares one with another."""
    if key is None or len(key.columns) == 1:
        return False
    others = (other for other in key.table.foreign_key_constraints if other is not key)
    return any({*key.column_keys} & {*other.column_keys} for other in others)


def _spell_out(metadata: MetaData) -> None:
    """Have indexes and constraints written with all that is said of them, and tables with what is theirs alone.

    What has the name of the convention would be written as `index=True` or `unique=True`, without the rest.
    """
    known: dict[Any, Any] = dict(metadata.naming_convention)
    for table in metadata.tables.values():
        for name in {*table.dialect_kwargs} - _STORED:
            del table.dialect_kwargs[name]
        if any(_given(index.kwargs) or not _is_plain(index) for index in table.indexes):
            known.pop("ix", None)
        for constraint in table.constraints:
            if _options(constraint):
                known.pop(_KINDS.get(type(constraint), ""), None)
    metadata.naming_convention = known


def _is_plain(index: Index) -> bool:
    return all(isinstance(part, Column) for part in index.expressions)


def _options(constraint: Constraint | ForeignKey) -> dict[str, object]:
    """Return what sqlacodegen leaves out of a constraint; that a foreign key is deferrable it knows."""
    is_key = isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint)
    names = ("deferrable", "initially") if is_key else ()
    said = {name: value for name, value in constraint.kwargs.items() if name.startswith("postgresql_")}
    return _given({**{name: getattr(constraint, name) for name in names}, **said})


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in sorted(options.items()) if value not in (None, False, [], {})}


def _is_given(column: Column[Any]) -> bool:
    """Tell whether a column is one that SQLAlchemy takes for a serial one, while the database has no default for it.

    https://docs.sqlalchemy.org/en/21/core/metadata.html#sqlalchemy.schema.Column.params.autoincrement
    """
    is_alone = [*column.table.primary_key.columns] == [column]
    is_whole = isinstance(column.type, Integer) and not column.foreign_keys
    return is_alone and is_whole and not column.autoincrement and column.server_default is None


def _enum(kind: Any) -> tuple[list[object], dict[str, object]]:  # noqa: ANN401 - the same
    return [*kind.enums], {"name": kind.name, "schema": kind.schema}
