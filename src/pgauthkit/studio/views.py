"""`TableView`: one mapped class in the studio, to be listed, searched, filtered, sorted, shown and exported."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.to_thread
from markupsafe import escape
from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    UnaryExpression,
    and_,
    cast as sql_cast,
    false,
    inspect,
    or_,
    select,
)
from sqlalchemy.exc import DataError
from sqlalchemy.orm import InstrumentedAttribute, Mapper, RelationshipProperty, defer, joinedload
from sqlalchemy.sql.base import ExecutableOption
from starlette.requests import Request
from starlette_admin.contrib.sqla import ModelView
from starlette_admin.export.csv import CsvExporter
from starlette_admin.filters import FilterRegistry
from starlette_admin.helpers import detail_url, prettify_class_name
from starlette_admin.tools import iterdecode

from pgauthkit.studio.columns import column_fields, open_columns, secret_columns
from pgauthkit.studio.filters import Filters
from pgauthkit.studio.keys import read_key
from pgauthkit.studio.relations import covered_columns, is_to_one, relation_fields

if TYPE_CHECKING:
    from starlette_admin.export.base import BaseExporter
    from starlette_admin.fields import BaseField
    from starlette_admin.importers.base import BaseImporter

__all__ = ["TableView"]

# What people call a row by, the likeliest first.
_NAMES: Final = ("email", "name", "title", "label", "username", "slug")


class TableView(ModelView):
    """A mapped class in the studio, read only.

    Args:
        model: the class.
        keys: the classes in the studio, and what they are called in addresses.
    """

    def __init__(self, model: type[Any], keys: Mapping[type[Any], str]) -> None:
        self.mapper: Mapper[Any] = inspect(model)
        self.keys: Mapping[type[Any], str] = keys
        self.columns: Final = open_columns(self.mapper)
        self._to_one: Final = [relation for relation in self.mapper.relationships if is_to_one(relation, keys)]
        self.fields: list[BaseField] = sorted(
            [*column_fields(self.mapper, covered_columns(self)), *relation_fields(self)],
            key=lambda field: self._rank(field.name),
        )
        self.exporters: Sequence[BaseExporter | str] = (CsvExporter(escape_formulas=True), "json")
        self.importers: Sequence[BaseImporter | str] = ()
        # Ours say for each column of the key whether a form has it.
        self.show_pk_in_forms = True
        self.searchable_fields: list[str] = [field.name for field in self.fields if field.searchable]
        self.sortable_fields: list[str] = [field.name for field in self.fields if field.orderable]
        columns = self.mapper.primary_key
        self.fields_default_sort: list[tuple[str, bool]] = [
            (self.mapper.get_property_by_column(column).key, True) for column in columns
        ]
        name = prettify_class_name(model.__name__)
        super().__init__(model, icon="fa-solid fa-table", display_name=name, menu_label=name, key=keys[model])

    @property
    def newest_first(self) -> list[UnaryExpression[Any]]:
        """The order by primary key, backwards: ids of pgauthkit sort by time."""
        return [column.desc() for column in self.mapper.primary_key]

    def view_of(self, relation: RelationshipProperty[Any]) -> "TableView":
        """Return the view of the class that a relation leads to."""
        return cast("TableView", self._find_foreign_view(self.keys[relation.mapper.class_]))

    async def url(self, request: Request, row: Any) -> str:  # noqa: ANN401 - a row of any class
        """Return the address of a row."""
        return detail_url(request, self.keys[self.model], await self.get_pk_value(request, row))

    def is_row(self, pk: str) -> ColumnElement[bool]:
        """Return the condition for one row; of a text that is no key, one that no row meets."""
        columns = cast("Sequence[Any]", self.mapper.primary_key)
        texts = [pk] if len(columns) == 1 else list(iterdecode(pk))
        try:
            return and_(*(column == read_key(column, text) for column, text in zip(columns, texts, strict=True)))
        except ValueError:
            return false()

    def quoted(self, pk: object) -> str:
        """Return a key as it stands in a filter's text."""
        return self._quote_filter_value(str(pk))

    def get_list_query(self, request: Request) -> Select[Any]:  # noqa: ARG002 - starlette-admin's
        """Return the rows, with the row that each relation to one points at, and without what is secret."""
        own = (defer(_attribute(self.mapper, key), raiseload=True) for key in secret_columns(self.mapper))
        return select(self.model).options(*own, *map(_with_row, self._to_one))

    async def find_by_pk(self, request: Request, pk: Any) -> Any:  # noqa: ANN401 - starlette-admin's
        """Return a row, or None; a malformed key, or one out of the range of its type, is one that no row has."""
        try:
            found = await self._exec_find_by_pks(request, [pk])
        except DataError:
            return None
        return found[0] if found else None

    async def _exec_find_by_pks(
        self,
        request: Request,
        pks: list[Any],
        use_composite_in: bool = True,  # noqa: ARG002, FBT001, FBT002 - starlette-admin's
    ) -> Sequence[Any]:
        rows = self.get_list_query(request).where(or_(false(), *map(self.is_row, map(str, pks))))
        return await anyio.to_thread.run_sync(lambda: request.state.session.scalars(rows).unique().all())

    def get_search_query(self, request: Request, term: str) -> ColumnElement[bool]:
        """Return the condition for a term: some text of the row has it, in whatever case."""
        names = [field.name for field in self.get_fields_list(request) if field.searchable]
        texts = [name for name in names if name in self.columns and isinstance(self.columns[name].type, String)]
        found = (sql_cast(_attribute(self.mapper, name), String).icontains(term, autoescape=True) for name in texts)
        return or_(false(), *found)

    def get_filter_registry(self) -> FilterRegistry:
        """Return starlette-admin's filters, and ours for relations."""
        return Filters()

    async def serialize(
        self,
        obj: Any,  # noqa: ANN401 - a row of any class
        request: Request,
        include_relationships: bool = True,  # noqa: FBT001, FBT002 - starlette-admin's
        include_select2: bool = False,  # noqa: FBT001, FBT002 - the same
    ) -> dict[str, Any]:
        """Return a row for a template; of a row that another one points at, its name and its address alone."""
        if include_relationships:
            return await super().serialize(obj, request)
        name = await self.repr(obj, request)
        label = f"<span>{escape(name)}</span>"
        meta: dict[str, Any] = {"repr": name, "detailUrl": await self.url(request, obj)}
        if include_select2:
            meta["select2"] = {"selection": label, "result": label}
        return {cast("str", self.pk_attr): await self.get_serialized_pk_value(request, obj), "_meta": meta}

    async def repr(self, obj: Any, request: Request) -> str:  # noqa: ANN401 - a row of any class
        """Return what a row is called by: its e-mail address, its name, its title, or else its key."""
        names: list[object] = [getattr(obj, name) for name in _NAMES if name in self.columns]
        return str(next((name for name in names if name), None) or await self.get_pk_value(request, obj))

    def _rank(self, name: str) -> int:
        """Order what a row shows: its key, what it points at, its columns, and what points at it."""
        if name in self.mapper.relationships:
            return 3 if self.mapper.relationships[name].uselist else 1
        return 0 if self.columns[name].primary_key else 2

    def can_create(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Return False."""
        return False

    def can_edit(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Return False."""
        return False

    def can_delete(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Return False."""
        return False

    def can_import(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Return False: a file of rows is for `pgauthkit restore` or a seed."""
        return False


def _attribute(mapper: Mapper[Any], key: str) -> InstrumentedAttribute[Any]:
    return cast("InstrumentedAttribute[Any]", mapper.all_orm_descriptors[key])


def _with_row(relation: RelationshipProperty[Any]) -> ExecutableOption:
    secrets = (defer(_attribute(relation.mapper, key), raiseload=True) for key in secret_columns(relation.mapper))
    return joinedload(relation.class_attribute).options(*secrets)
