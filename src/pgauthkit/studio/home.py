"""`Home`: the first page, with a card for each class that says how many rows it has."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette_admin import CustomView
from starlette_admin.widgets import BaseWidget, Breakpoints, GridWidget, StatWidget

from pgauthkit.studio.views import TableView

__all__ = ["Home"]


class Home(CustomView):
    """The first page.

    Args:
        views: the classes.
    """

    def __init__(self, views: Sequence[TableView]) -> None:
        self._views = views
        super().__init__(menu_label="Home", path="/", route_name="index", add_to_menu=False, widget=self._cards)

    async def _cards(self, request: Request) -> BaseWidget:
        cards: list[BaseWidget] = [self._card(request, view) for view in self._views]
        return GridWidget(children=cards, breakpoints=Breakpoints(default=1, md=2, lg=3))

    @staticmethod
    def _card(request: Request, view: TableView) -> BaseWidget:
        link = request.url_for(f"{request.app.state.ROUTE_NAME}:list", key=view.keys[view.model])
        table = view.mapper.local_table
        return StatWidget(title=view.menu_label, value_callback=view.count, link=str(link), description=str(table))
