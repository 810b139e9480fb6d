"""`EditableView`: a mapped class whose rows may be made, changed and deleted as well, for `--write`."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from sqlalchemy import Column, Table
from starlette.requests import Request
from starlette_admin.exceptions import ActionFailed, FormValidationError

from pgauthkit.database.violations import REFUSALS, violation
from pgauthkit.errors import PgAuthKitError, RepositoryError
from pgauthkit.studio.columns import is_left_to_the_database
from pgauthkit.studio.edits import cleaned, is_same
from pgauthkit.studio.views import TableView

__all__ = ["EditableView"]


class EditableView(TableView):
    """A mapped class in the studio, to be edited.

    Only what was changed is written. A refusal of the server or of the model is a sentence beside its field.

    Args:
        model: the class.
        keys: the classes in the studio, and what they are called in addresses.
    """

    def __init__(self, model: type[Any], keys: Mapping[type[Any], str]) -> None:
        super().__init__(model, keys)
        asked = {field.name for field in self.fields if not field.exclude_from_create}
        covered = {column for relation in self._to_one if relation.key in asked for column in relation.local_columns}
        needed = (prop for prop in self.mapper.column_attrs if prop.columns[0] not in covered)
        self._is_creatable: Final = all(
            prop.key in asked or is_left_to_the_database(cast("Column[Any]", prop.columns[0])) for prop in needed
        )

    def can_create(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Tell whether a form can make a row: not where a column must have what no form asks for, such as a hash."""
        return self._is_creatable

    def can_edit(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Return True."""
        return True

    def can_delete(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Return True."""
        return True

    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        """Delete rows.

        Raises:
            ActionFailed: the server refused.
        """
        try:
            return await super().delete(request, pks)
        except REFUSALS as error:
            failure = violation(error, self._table)
        raise ActionFailed(str(failure))

    async def handle_exception(self, request: Request, exc: Exception) -> NoReturn:
        """Turn a refusal into a sentence of the form.

        Raises:
            FormValidationError: the server refused a value.
        """
        if not isinstance(exc, REFUSALS):
            raise exc
        failure = violation(exc, self._table)
        raise FormValidationError({self._blamed(request, failure): str(failure)}) from None

    async def _populate_obj(
        self,
        request: Request,
        obj: Any,  # noqa: ANN401 - a row of any class
        data: dict[str, Any],
        is_edit: bool = False,  # noqa: FBT001, FBT002 - starlette-admin's
    ) -> Any:  # noqa: ANN401 - the same row
        for field in self.get_fields_list(request):
            column = self.columns.get(field.name)
            value = cleaned(data.get(field.name), column)
            if is_edit and is_same(getattr(obj, field.name), value):
                continue
            if not is_edit and value is None and (column is None or is_left_to_the_database(column)):
                continue
            try:
                setattr(obj, field.name, value)
            except PgAuthKitError as error:  # A validator of the model's, such as that of User.email.
                raise FormValidationError({field.name: str(error)}) from None
        return obj

    @property
    def _table(self) -> Table:
        return self.mapper.local_table  # type: ignore[return-value]  # the studio has no others

    def _blamed(self, request: Request, failure: PgAuthKitError) -> str:
        asked = [field.name for field in self.get_fields_list(request)]
        columns = failure.columns if isinstance(failure, RepositoryError) else ()
        named = [key for key, column in self.columns.items() if column.name in columns]
        named += [one.key for one in self._to_one if {column.name for column in one.local_columns} & {*columns}]
        return next((name for name in named if name in asked), asked[0])
