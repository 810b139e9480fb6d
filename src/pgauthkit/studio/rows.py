"""`Rows`: what a relation asks of the views of the classes at its ends, so that neither imports the other."""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, UnaryExpression
from sqlalchemy.orm import Mapper, RelationshipProperty
from starlette.requests import Request

__all__ = ["Rows"]


class Rows(Protocol):
    """What a relation asks of the view of a class.

    Attributes:
        model: the class.
        mapper: of the class.
        keys: the classes in the studio, and what they are called in addresses.
    """

    model: type[Any]
    mapper: Mapper[Any]
    keys: Mapping[type[Any], str]

    @property
    def newest_first(self) -> list[UnaryExpression[Any]]:
        """The order by primary key, backwards."""
        ...

    def view_of(self, relation: RelationshipProperty[Any]) -> "Rows":
        """Return the view of the class that a relation leads to."""
        ...

    def is_row(self, pk: str) -> ColumnElement[bool]:
        """Return the condition for one row."""
        ...

    def quoted(self, pk: object) -> str:
        """Return a key as it stands in a filter's text."""
        ...

    def get_list_query(self, request: Request) -> Select[Any]:
        """Return the rows."""
        ...

    async def get_pk_value(self, request: Request, obj: Any) -> Any:  # noqa: ANN401 - a row of any class, and its key
        """Return the key of a row."""
        ...

    async def url(self, request: Request, row: Any) -> str:  # noqa: ANN401 - a row of any class
        """Return the address of a row."""
        ...

    async def called(self, row: Any, request: Request, *, besides: object = None) -> str:  # noqa: ANN401 - a row of any class
        """Return what a row is called by, on the page of another."""
        ...
