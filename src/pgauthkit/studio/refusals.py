"""`StudioAdmin`: starlette-admin, with pages of errors that say what is the matter and what to do."""

from typing import TYPE_CHECKING, Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.status import HTTP_403_FORBIDDEN, HTTP_404_NOT_FOUND
from starlette_admin.contrib.sqla import Admin

if TYPE_CHECKING:
    from pgauthkit.studio.views import TableView

__all__ = ["StudioAdmin"]

_MISSING: Final = "There is no such row, or the studio does not show such a table."


class StudioAdmin(Admin):
    """The application of starlette-admin."""

    async def _render_error(self, request: Request, exc: Exception | None = None) -> Response:
        found = exc if isinstance(exc, HTTPException) else HTTPException(500)
        if found.status_code == HTTP_404_NOT_FOUND:
            found = HTTPException(HTTP_404_NOT_FOUND, detail=_MISSING)
        if found.status_code == HTTP_403_FORBIDDEN:
            view = cast("TableView", self._find_view_by_key(request.path_params["key"]))
            found = HTTPException(HTTP_403_FORBIDDEN, detail=view.refusal)
        return await super()._render_error(request, found)
