"""Views that are new or say something else: dropped with all that stands on them, and made again with what they had."""

import re
from collections.abc import Sequence

from pgauthkit.ops.migrate.autogenerate.views import Part, View, above
from pgauthkit.ops.migrate.catalog import Item
from pgauthkit.ops.migrate.making import Made
from pgauthkit.ops.migrate.missing import Missing, Step, table_name

__all__ = ["replaced_views", "write_views"]


def replaced_views(made: Made) -> frozenset[str]:
    """Return the views that have to be dropped, by their full names.

    Example:
        >>> replaced_views(Made(wanted={}, found={}, tables={}, home="public", dropped={}, columns={}))
        frozenset()
    """
    return frozenset(view.name for view in _dropped(made))


def write_views(more: Missing, made: Made) -> None:
    """Write what makes the views as the models have them, and the way back.

    CREATE OR REPLACE does neither for a materialized view nor for a column that goes, so each is dropped. What the
    database has on it goes with it (indexes, triggers, rules, statistics, comments, grants, its owner), and so do views
    in whose queries it is: all this is made again, on both ways.

    Example:
        >>> write_views(more, made)  # doctest: +SKIP
    """
    dropped = _dropped(made)
    for view in dropped:
        drop, create = _statements(view.quoted, view.said, is_empty=view.is_empty)
        more.before += [*(Step(None, part.statement) for part in reversed(view.parts)), Step(drop, create)]
    names = {item.name for item in _differing(made)} | {view.name for view in dropped}
    for name in made.tables:  # Views come as the models have them.
        if name in names:
            _make(more, made, Item(kind="view", name=name, owner=name))
    for view in reversed(dropped):
        if view.name not in made.tables:
            drop, create = _statements(view.quoted, view.said, is_empty=view.is_empty)
            more.after += [Step(create, drop), *(Step(part.statement, None) for part in view.parts)]
    for item in made.found.keys() - made.wanted.keys():
        if item.kind == "view":
            more.name(item, None, made.found[item])


def _differing(made: Made) -> list[Item]:
    return [item for item, said in made.wanted.items() if item.kind == "view" and made.found.get(item) != said]


def _dropped(made: Made) -> Sequence[View]:
    return above(made.views, [item.name for item in _differing(made) if item in made.found])


def _make(more: Missing, made: Made, item: Item) -> None:
    view = made.views.get(item.name) if item in made.found else None
    drop, create = _statements(table_name(item, made), made.wanted[item], is_empty=bool(view and view.is_empty))
    more.after.append(Step(create, drop, made.tables[item.name][0]))
    if view:
        more.after += [Step(statement, None) for statement in _indexes(made, view)]
        more.after += [Step(part.statement, None) for part in _kept(more, made, view)]


def _indexes(made: Made, view: View) -> list[str]:
    """Return the indexes that the models have on a view."""
    return [said for item, said in made.wanted.items() if item.kind == "index" and item.owner == view.name]


def _kept(more: Missing, made: Made, view: View) -> list[Part]:
    """Return what only the database has on a view, and name what stands on a column that is gone."""
    ours = {item.name for item in made.wanted if item.kind == "index" and item.owner == view.name}
    columns = made.columns[view.name]
    parts = [part for part in view.parts if part.kind != "index" or part.name not in ours]
    more.by_hand += [
        f"The {part.kind} {part.name} goes with the view {view.name}, which is made again without"
        f" {', '.join(sorted(part.columns - columns))}."
        for part in parts
        if part.columns - columns
    ]
    return [part for part in parts if part.columns <= columns]


def _statements(name: str, said: str, *, is_empty: bool) -> tuple[str, str]:
    kind = "MATERIALIZED VIEW" if said.startswith("MATERIALIZED ") else "VIEW"
    options, select = re.fullmatch(r"(?:MATERIALIZED )?(WITH \(.*?\) )?(.*)", said, re.DOTALL).groups()  # type: ignore[union-attr]  # it matches anything
    data = " WITH NO DATA" if is_empty else ""
    return f"DROP {kind} {name}", f"CREATE {kind} {name} {options or ''}AS {select.strip().rstrip(';')}{data}"
