"""How rows point at one another: a link to one row, and the newest of many."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import anyio.to_thread
from sqlalchemy import func, literal, select
from sqlalchemy.orm import Mapper, RelationshipProperty, with_parent
from starlette.requests import Request
from starlette_admin import BaseField, HasOne

from pgauthkit.studio.columns import needed_columns
from pgauthkit.studio.rows import Rows

__all__ = ["covered_columns", "is_to_one", "links", "relation_fields"]

_SHOWN: Final = 10
_COUNTED: Final = 1000


def relation_fields(view: Rows) -> list[BaseField]:
    """Return the fields of the relations that lead to a class in the studio."""
    found = [relation for relation in view.mapper.relationships if relation.mapper.class_ in view.keys]
    return [_many(view, relation) if relation.uselist else _one(view, relation) for relation in found]


def is_to_one(relation: RelationshipProperty[Any], keys: Mapping[type[Any], str]) -> bool:
    """Tell whether a relation leads to one row at most, of a class in the studio."""
    return not relation.uselist and relation.mapper.class_ in keys


def links(mapper: Mapper[Any], keys: Mapping[type[Any], str]) -> list[RelationshipProperty[Any]]:
    """Return the relations of a class whose rows do no more than link others, or none: of a table of many to many.

    Args:
        mapper: of the class.
        keys: the classes in the studio.
    """
    found = [relation for relation in mapper.relationships if _is_owner(relation) and is_to_one(relation, keys)]
    covered = {column for relation in found for column in relation.local_columns}
    is_link = len(found) > 1 and covered.issuperset(needed_columns(mapper).values())
    return found if is_link else []


def _is_owner(relation: RelationshipProperty[Any]) -> bool:
    return relation.direction.name == "MANYTOONE" and not relation.viewonly


def covered_columns(view: Rows) -> frozenset[str]:
    """Return the attributes of foreign keys for which the row is shown that they point at."""
    mapper: Mapper[Any] = view.mapper
    keys = (
        mapper.get_property_by_column(column).key
        for relation in mapper.relationships
        if _is_owner(relation) and relation.mapper.class_ in view.keys
        for column in relation.local_columns
    )
    return frozenset(keys)


def _one(view: Rows, relation: RelationshipProperty[Any]) -> BaseField:
    is_owner = _is_owner(relation)
    return HasOne(
        relation.key,
        key=view.keys[relation.mapper.class_],
        required=is_owner and not any(column.nullable for column in relation.local_columns),
        orderable=False,
        exclude_from_create=not is_owner,
        exclude_from_edit=not is_owner or any(column.primary_key for column in relation.local_columns),
    )


def _many(view: Rows, relation: RelationshipProperty[Any]) -> BaseField:
    return BaseField(
        relation.key,
        getter=partial(_related, view, relation),
        detail_template="related.html",
        searchable=False,
        orderable=False,
        exclude_from_list=True,
        exclude_from_create=True,
        exclude_from_edit=True,
        exclude_from_export=True,
    )


async def _related(view: Rows, relation: RelationshipProperty[Any], request: Request, row: Any) -> Any:  # noqa: ANN401 - a row of any class
    """Return the newest rows, their count, and the way to all of them; the relation may be too long to be loaded."""
    there = view.view_of(relation)
    is_theirs = with_parent(row, relation.class_attribute)
    newest = there.get_list_query(request).where(is_theirs).order_by(*there.newest_first).limit(_SHOWN)
    some = select(literal(1)).select_from(there.model).where(is_theirs).limit(_COUNTED + 1).subquery()

    def look() -> tuple[list[Any], int]:
        session = request.state.session
        rows = session.scalars(newest).unique().all()
        return list(rows), session.scalar(select(func.count()).select_from(some))

    rows, count = await anyio.to_thread.run_sync(look)
    return {
        "rows": [
            {"url": await there.url(request, other), "text": await there.called(other, request, besides=row)}
            for other in rows
        ],
        "count": str(count) if count <= _COUNTED else f"more than {_COUNTED}",
        "all": await _way_to_all(view, relation, request, row) if rows else None,
        "is_long": count > _SHOWN,
    }


async def _way_to_all(view: Rows, relation: RelationshipProperty[Any], request: Request, row: Any) -> str | None:  # noqa: ANN401 - a row of any class
    back = relation.mapper.relationships.get(relation.back_populates or "")
    if back is None or back.uselist:
        return None
    there = request.url_for(f"{request.app.state.ROUTE_NAME}:list", key=view.keys[relation.mapper.class_])
    value = view.quoted(await view.get_pk_value(request, row))
    return f"{there}?filter={quote(f'{back.key}__is={value}', safe='')}"
