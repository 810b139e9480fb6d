"""`EditableView`: a mapped class whose rows may be made, changed and deleted as well, for `--write`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, cast

import anyio.to_thread
from sqlalchemy import Table
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.sql import ClauseElement
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette_admin.actions import ActionSelection
from starlette_admin.exceptions import ActionFailed, FormValidationError

from pgauthkit.database.violations import REFUSALS, violation
from pgauthkit.errors import PgAuthKitError, RepositoryError
from pgauthkit.studio.cells import Untouched
from pgauthkit.studio.columns import is_left_to_the_database, needed_columns
from pgauthkit.studio.consequences import rehearse
from pgauthkit.studio.edits import cleaned, is_same
from pgauthkit.studio.unread import Unread
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
        self._unasked: Final = [
            str(column)
            for key, column in needed_columns(self.mapper).items()
            if key not in asked and column not in covered
        ]

    def can_create(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Tell whether a form can make a row: not where a column must have what no form asks for, such as a hash."""
        return not self._unasked

    def can_edit(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Return True."""
        return True

    def can_delete(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's
        """Return True."""
        return True

    @property
    def refusal(self) -> str:
        """Why no row can be made."""
        return (
            f"No form can make a row here: {', '.join(self._unasked)} must have a value, and the studio does not ask"
            " for what is secret, or of a type of the application's own. Rows can be changed and deleted."
        )

    async def handle_row_action(self, request: Request, pk: Any, name: str) -> Response | None:  # noqa: ANN401 - a key
        """Do what was asked for with a row, or say what that would change."""
        return await self._rehearsed(request, [pk], name) or await super().handle_row_action(request, pk, name)

    async def handle_action(self, request: Request, selection: ActionSelection, name: str) -> Response | None:
        """Do what was asked for with several rows, or say what that would change."""
        pks = await selection.pks() if name == "delete" else []
        return await self._rehearsed(request, pks, name) or await super().handle_action(request, selection, name)

    async def _rehearsed(self, request: Request, pks: list[Any], name: str) -> Response | None:
        if name != "delete" or "rehearsal" not in request.query_params:
            return None
        tables = cast("Sequence[Table]", self.mapper.tables)
        try:
            rows = await self.find_by_pks(request, pks)
            sentences = await anyio.to_thread.run_sync(rehearse, request.state.session, rows, tables[0])
        except REFUSALS as error:
            return JSONResponse({"refused": str(violation(error, self._table))})
        return JSONResponse({"sentences": sentences})

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
        form = await request.form()
        for field in self.get_fields_list(request):
            value, column = data.get(field.name), self.columns.get(field.name)
            if isinstance(value, Untouched) or (isinstance(value, Unread) and value == getattr(obj, field.name)):
                continue
            given = [
                text for key, text in form.multi_items() if key.partition(".")[0] == field.id and isinstance(text, str)
            ]
            try:
                if column is not None:
                    value = cleaned(value, given, column)
                elif value is None and any(given) and not field.required:
                    raise RepositoryError("There is no such row.")
                self._set(obj, field.name, value, is_edit=is_edit)
            except PgAuthKitError as error:  # From us, or from a validator of the model's, such as that of User.email.
                raise FormValidationError({field.name: str(error)}) from None
        return obj

    def _set(self, obj: object, name: str, value: object, *, is_edit: bool) -> None:
        column = self.columns.get(name)
        is_left = value is None or isinstance(value, ClauseElement)
        if is_edit and is_same(getattr(obj, name), value):
            return
        if not is_edit and is_left and (column is None or is_left_to_the_database(column)):
            return
        setattr(obj, name, value)
        flag_modified(obj, name)  # SQLAlchemy would leave out true in place of 1, which are equal in Python.

    @property
    def _table(self) -> Table | None:
        table = cast("object", self.mapper.local_table)
        return cast("Table", table) if isinstance(table, Table) else None

    def _blamed(self, request: Request, failure: PgAuthKitError) -> str:
        asked = [field.name for field in self.get_fields_list(request)]
        columns = failure.columns if isinstance(failure, RepositoryError) else ()
        named = [key for key, column in self.columns.items() if column.name in columns]
        named += [one.key for one in self._to_one if {column.name for column in one.local_columns} & {*columns}]
        return next((name for name in named if name in asked), asked[0])
