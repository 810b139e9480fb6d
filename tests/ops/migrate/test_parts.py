"""What a constraint, an index or a view that differs on one side alone becomes."""

import attrs
import pytest

from pgauthkit.ops.migrate.autogenerate.replacing import write_views
from pgauthkit.ops.migrate.catalog import Item
from pgauthkit.ops.migrate.covered import Covered
from pgauthkit.ops.migrate.making import Made
from pgauthkit.ops.migrate.missing import Missing, Step
from pgauthkit.ops.migrate.parts import write_part

INDEX = Item(kind="index", name="public.ix", owner="public.posts")
CHECK = Item(kind="constraint", name="public.posts.ck", owner="public.posts")
MADE = "CREATE INDEX ix ON public.posts USING btree (a)"


@pytest.fixture
def made() -> Made:
    tables, columns = {"public.posts": ("public", "posts")}, {"public.ix": frozenset({"a"})}
    return Made(wanted={}, found={}, tables=tables, home="public", dropped={}, columns=columns)


def test_an_index_on_one_side(made: Made) -> None:
    """It is made, or goes with its column, and the way back does the opposite."""
    new, gone = Missing(), Missing()
    write_part(new, INDEX, MADE, None, made, Covered())
    assert (new.before, new.after) == ([], [Step(MADE, "DROP INDEX public.ix")])
    write_part(gone, INDEX, None, MADE, made, Covered(dropped={"public.posts.a"}))
    assert (gone.before, gone.after) == ([Step("DROP INDEX public.ix", MADE)], [])


def test_a_check_that_was_not_validated(made: Made) -> None:
    """It is validated, and on the way back made anew without that."""
    more = Missing()
    write_part(more, CHECK, "CHECK ((a > 0))", "CHECK ((a > 0)) NOT VALID", made, Covered())
    table = "ALTER TABLE public.posts"
    back = f"{table} DROP CONSTRAINT ck, ADD CONSTRAINT ck CHECK ((a > 0)) NOT VALID"
    assert more.after == [Step(f"{table} VALIDATE CONSTRAINT ck", back)]


def test_a_view_that_is_a_table_in_the_models(made: Made) -> None:
    """Nothing is written for it; it is named."""
    more = Missing()
    view = Item(kind="view", name="public.posts", owner="public.posts")
    write_views(more, attrs.evolve(made, found={view: "SELECT 1"}))
    assert [said.partition(":")[0] for said in more.by_hand] == ["The view public.posts"]
