"""`TableView`: one mapped class in the studio, to be listed, searched, filtered, sorted, shown and exported."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.to_thread
from markupsafe import escape
from sqlalchemy import (
    Column,
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
from sqlalchemy.orm import Mapper, RelationshipProperty
from starlette.requests import Request
from starlette_admin.contrib.sqla import ModelView
from starlette_admin.export.csv import CsvExporter
from starlette_admin.filters import FilterRegistry
from starlette_admin.helpers import detail_url, prettify_class_name
from starlette_admin.tools import iterdecode
from starlette_admin.types import RequestAction

from pgauthkit.repositories.generic.typed import typed
from pgauthkit.studio.cells import SHOWN, cut, one_line
from pgauthkit.studio.columns import column_fields, open_columns
from pgauthkit.studio.filters import Filters
from pgauthkit.studio.keys import key_field, read_key
from pgauthkit.studio.loading import attribute, names, readable, with_row
from pgauthkit.studio.relations import covered_columns, is_to_one, links, relation_fields

if TYPE_CHECKING:
    from starlette_admin import BaseField
    from starlette_admin.export.base import BaseExporter
    from starlette_admin.importers.base import BaseImporter

__all__ = ["TableView"]


class TableView(ModelView):
    """A mapped class in the studio, read only.

    Args:
        model: the class.
        keys: the classes in the studio, and what they are called in addresses.
    """

    # Rows have one line each.
    page_size = 25

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
        self.fields_default_sort: list[tuple[str, bool]] = [(key, True) for key in self._key]
        name = prettify_class_name(model.__name__)
        super().__init__(model, icon="fa-solid fa-table", display_name=name, menu_label=name, key=keys[model])

    @property
    def newest_first(self) -> list[UnaryExpression[Any]]:
        """The order by primary key, backwards: ids of pgauthkit sort by time."""
        return [column.desc() for column in self.mapper.primary_key]

    @property
    def _key(self) -> dict[str, Column[Any]]:
        columns = cast("Sequence[Column[Any]]", self.mapper.primary_key)
        return {self.mapper.get_property_by_column(column).key: column for column in columns}

    def _setup_primary_key(self) -> None:
        self.pk_field: BaseField = key_field(self._key)
        self.pk_attr: str = self.pk_field.name

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
            values = [read_key(column, text) for column, text in zip(columns, texts, strict=True)]
        except ValueError:
            return false()
        return and_(*(column == typed(column.type, value) for column, value in zip(columns, values, strict=True)))

    def quoted(self, pk: object) -> str:
        """Return a key as it stands in a filter's text."""
        return self._quote_filter_value(str(pk))

    def get_list_query(self, request: Request) -> Select[Any]:  # noqa: ARG002 - starlette-admin's
        """Return the rows, with the row that each relation to one points at, and without what is secret."""
        rows = (with_row(one, links(one.mapper, self.keys)) for one in self._to_one)
        return select(self.model).options(*readable(self.mapper), *rows)

    def build_order_clauses(
        self,
        request: Request,  # noqa: ARG002 - starlette-admin's
        sorts: Sequence[tuple[str, str]],
        stmt: Select[Any],
    ) -> Select[Any]:
        """Return the rows in an order, and where that leaves it open by their key, so that pages do not overlap."""
        asked = [(name, way) for name, way in sorts if name != self.pk_attr]
        columns = [
            attribute(self.mapper, name).desc() if way == "desc" else attribute(self.mapper, name)
            for name, way in asked
        ]
        return stmt.order_by(*columns, *self.newest_first)

    async def find_by_pk(self, request: Request, pk: Any) -> Any:  # noqa: ANN401 - starlette-admin's
        """Return a row, or None; a malformed key, or one out of the range of its type, is one that no row has."""
        try:
            found = await self.find_by_pks(request, [pk])
        except DataError:
            return None
        return found[0] if found else None

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Any]:
        """Return the rows of some keys."""
        rows = self.get_list_query(request).where(or_(false(), *map(self.is_row, map(str, pks))))
        return await anyio.to_thread.run_sync(lambda: request.state.session.scalars(rows).unique().all())

    def get_search_query(self, request: Request, term: str) -> ColumnElement[bool]:
        """Return the condition for a term: some text of the row has it, in whatever case."""
        names = [field.name for field in self.get_fields_list(request) if field.searchable]
        texts = [name for name in names if name in self.columns and isinstance(self.columns[name].type, String)]
        found = (sql_cast(attribute(self.mapper, name), String).icontains(term, autoescape=True) for name in texts)
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
        return {self.pk_attr: await self.get_serialized_pk_value(request, obj), "_meta": meta}

    async def repr(self, obj: Any, request: Request) -> str:  # noqa: ANN401 - a row of any class
        """Return what a row is called by: its e-mail address, its name, its title, or else its key."""
        return await self.called(obj, request)

    async def called(self, row: Any, request: Request, *, besides: object = None) -> str:  # noqa: ANN401 - a row of any class
        """Return what a row is called by; one that only links others by their names, without those that are known.

        Args:
            row: of the class.
            request: the one that asks.
            besides: the row on whose page this one is shown.
        """
        name = next((name for name in (getattr(row, key) for key in names(self.mapper)) if name), None)
        unloaded: set[str] = inspect(row).unloaded
        linked = [(one, getattr(row, one.key)) for one in links(self.mapper, self.keys) if one.key not in unloaded]
        called = [
            await self.view_of(one).repr(there, request)
            for one, there in linked
            if there is not None and there is not besides
        ]
        return one_line(str(name or " / ".join(called) or await self.get_pk_value(request, row)))

    async def serialize_field_value(self, value: Any, field: "BaseField", request: Request) -> Any:  # noqa: ANN401 - starlette-admin's
        """Return a value for a page or a file; on a page of what is long its beginning."""
        shown = await super().serialize_field_value(value, field, request)
        if request.state.action is RequestAction.LIST and isinstance(shown, str | list):
            return one_line(shown if isinstance(shown, str) else ", ".join(map(str, cast("list[object]", shown))))
        if request.state.action is RequestAction.DETAIL and isinstance(shown, str):
            return cut(shown, SHOWN)
        return shown

    def _rank(self, name: str) -> int:
        """Order what a row shows: its key, what it points at, its columns, and what points at it."""
        if name in self.mapper.relationships:
            first = 1 if not links(self.mapper, self.keys) else -1
            return 3 if self.mapper.relationships[name].uselist else first
        return 0 if name in self._key else 2

    @property
    def refusal(self) -> str:
        """Why a page of the table is refused."""
        return "The studio is read only. Start it with --write to change rows."

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
