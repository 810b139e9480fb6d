"""What rows are filtered by: starlette-admin's conditions on columns, and ours for relations."""

from typing import TYPE_CHECKING, cast

from sqlalchemy import ColumnElement
from starlette_admin import BaseField
from starlette_admin.contrib.sqla.filters import IsNotNullFilter, IsNullFilter, SqlaFilterRegistry
from starlette_admin.fields import RelationField, TextAreaField
from starlette_admin.filters import FilterApplyContext, FilterDataType, filters
from starlette_admin.filters.base import BaseFilter

if TYPE_CHECKING:
    from pgauthkit.studio.rows import Rows

__all__ = ["Filters", "IsFilter"]


class IsFilter(BaseFilter):
    """The row that a relation points at, by its primary key."""

    name = "is"
    label = "Is"
    data_type = FilterDataType.STRING

    def apply(self, ctx: FilterApplyContext) -> ColumnElement[bool]:
        """Return the condition; of a value that is no key, one that no row meets."""
        view = cast("Rows", ctx.view)
        relation = view.mapper.relationships[ctx.field_name]
        found: ColumnElement[bool] = relation.class_attribute.has(view.view_of(relation).is_row(ctx.value))
        return found


class Filters(SqlaFilterRegistry):
    """starlette-admin's filters, with those of a short text for every text, and ours for relations."""

    @filters(TextAreaField)
    def textarea_filters(self, field: BaseField) -> list[type[BaseFilter]]:
        """Return the filters of a text."""
        return list(self.string_filters(field))

    @filters(RelationField)
    def relation_filters(self, field: BaseField) -> list[type[BaseFilter]]:  # noqa: ARG002 - starlette-admin's
        """Return the filters of a relation."""
        return [IsFilter, IsNullFilter, IsNotNullFilter]
