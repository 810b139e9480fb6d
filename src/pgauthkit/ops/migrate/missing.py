"""What a revision lacks, as statements with their way back, and the names that these use."""

from typing import Final

import attrs
from sqlalchemy.dialects import postgresql

from pgauthkit.ops.migrate.catalog import Item
from pgauthkit.ops.migrate.making import Made

__all__ = ["Missing", "Step", "quote", "short_name", "table_name"]

quote: Final = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]  # SQLAlchemy's own


@attrs.frozen
class Step:
    """One statement, and the one that undoes it; None where there is nothing to do.

    Attributes:
        up: the statement.
        down: what undoes it.
        schema: where it makes something, to be made first.
    """

    up: str | None
    down: str | None
    schema: str | None = None


@attrs.define
class Missing:
    """What a revision lacks.

    Attributes:
        before: steps before those of Alembic.
        after: steps after them.
        labels: statements that add labels to enum types, which are not undone.
        apart: steps that run outside a transaction.
        remade: statements that follow the making of a table, by its full name.
        by_hand: what no statement was found for, in sentences.
    """

    before: list[Step] = attrs.field(factory=list[Step])
    after: list[Step] = attrs.field(factory=list[Step])
    labels: list[str] = attrs.field(factory=list[str])
    apart: list[Step] = attrs.field(factory=list[Step])
    remade: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])
    by_hand: list[str] = attrs.field(factory=list[str])

    def name(self, item: Item, wanted: str | None, found: str | None) -> None:
        """Say what differs, to be written by hand."""
        stays = "" if wanted else ", which stays: write it into the model, or drop it"
        self.by_hand.append(
            f"The {item.kind} {item.name}: the models make {wanted or 'none'}; there is {found or 'none'}{stays}."
        )


def table_name(item: Item, made: Made) -> str:
    """Return the table of something as SQL writes it.

    Example:
        >>> table_name(item, made)  # doctest: +SKIP
        'public."Posts"'
    """
    return ".".join(quote(name) for name in made.tables[str(item.owner)])


def short_name(item: Item) -> str:
    """Return the name of something without its table, or its schema.

    Example:
        >>> short_name(Item(kind="column", name="public.posts.id", owner="public.posts"))
        'id'
    """
    # An index is named with its schema, what else belongs to a table with the table.
    holder = str(item.owner).partition(".")[0] if item.kind == "index" else str(item.owner)
    return item.name.removeprefix(f"{holder}.")
