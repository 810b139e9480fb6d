"""Aggregates and groups."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import func
from tests.integration.repositories.conftest import Product, Team, Work

from pgauthkit.errors import RepositoryError
from pgauthkit.models import User
from pgauthkit.repositories import Repository

TOTAL = func.sum(Product.price)


@pytest.fixture
def products(work: Work) -> Repository[Product]:
    """Red: 1 and 2 for 1.00 and 2.00; blue: 3 for 9.00."""
    products = work.of(Product)
    teams = (Team.RED, Team.RED, Team.BLUE)
    products.create_many(
        {"team": team, "number": n, "price": Decimal(price)}
        for n, (team, price) in enumerate(zip(teams, (1, 2, 9), strict=True), 1)
    )
    work.sent()
    return products


def test_aggregate(products: Repository[Product], work: Work) -> None:
    """Figures by name over all rows, or over those that meet conditions; one statement each."""
    row = products.aggregate(total=TOTAL, n=func.count(), highest=func.max(Product.number))
    assert (Decimal("12.00"), 3, 3) == (row.total, row.n, row.highest)
    assert (Decimal("3.00"),) == tuple(products.aggregate(Product.team == Team.RED, total=TOTAL))
    assert len(work.sent()) == 2


def test_group_by(products: Repository[Product], work: Work) -> None:
    """A row for each group, in an order of figures or of what is grouped by; one statement each."""
    rows = products.group_by("team", total=TOTAL, n=func.count(), order_by="-total")
    assert [(Team.BLUE, Decimal("9.00"), 1), (Team.RED, Decimal("3.00"), 2)] == [(r.team, r.total, r.n) for r in rows]
    assert [tuple(r) for r in products.group_by(["team"], n=func.count(), order_by="n")] == [
        (Team.BLUE, 1),
        (Team.RED, 2),
    ]
    by_parity = products.group_by(Product.number % 2, n=func.count(), order_by=func.count())
    assert [tuple(row) for row in by_parity] == [(0, 1), (1, 2)]
    assert len(work.sent()) == 3


def test_having_and_take(products: Repository[Product]) -> None:
    """Conditions on rows, on groups, and so many groups."""
    kept = products.group_by("team", Product.number > 1, having=func.count() == 1, n=func.count(), order_by="-team")
    assert [tuple(row) for row in kept] == [(Team.RED, 1), (Team.BLUE, 1)]
    both = [func.count() == 1, TOTAL > 5]
    assert [row.team for row in products.group_by("team", having=both, n=func.count())] == [Team.BLUE]
    first = products.group_by(["team", "number"], n=func.count(), order_by=["team", "-number"], take=2)
    assert [(row.team, row.number) for row in first] == [(Team.BLUE, 3), (Team.RED, 2)]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda products: products.aggregate(), "Say which figures of Product are wanted"),
        (lambda products: products.group_by("team"), "Say which figures of Product are wanted"),
        (lambda products: products.group_by("nope", n=func.count()), "Product has no column 'nope'"),
        (lambda products: products.group_by("team", n=func.count(), order_by="price"), "'price' is neither a figure"),
        (lambda products: products.group_by("team", n=func.count(), take=-1), "take is negative"),
        (lambda products: products.aggregate(User.id == "x", n=func.count()), "about pgauthkit.users"),
    ],
)
def test_refused_before_any_sql(
    products: Repository[Product], work: Work, ask: Callable[[Repository[Product]], object], message: str
) -> None:
    """What cannot be asked is refused with the model, and nothing is sent."""
    with pytest.raises(RepositoryError, match=message):
        ask(products)
    assert work.sent() == []
