"""A repository against a list of dicts: random writes, soft deletes and pages, sync and async."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import func
from tests.integration.repositories.conftest import Account, Work

from pgauthkit.errors import NotFoundError, UniqueViolationError

if TYPE_CHECKING:
    from pgauthkit.repositories import Repository

Row = dict[str, Any]

NAMES = ("email", "number", "age")
EMAILS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.sampled_from(["1", "2", "3"])
AGES = st.integers(0, 4)


class Accounts(RuleBasedStateMachine):
    """Accounts by e-mail, unique among those not deleted, and by number, unique among all."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work
        self.accounts: Repository[Account] = work.of(Account)
        self.savepoint = work.call(work.db.begin_nested)
        self.rows: list[Row] = []

    def teardown(self) -> None:
        self.work.call(self.savepoint.rollback)

    def alive(self) -> list[Row]:
        return [row for row in self.rows if not row["deleted"]]

    def by_number(self, number: str, *, deleted_too: bool = False) -> Row | None:
        return next((row for row in (self.rows if deleted_too else self.alive()) if row["number"] == number), None)

    def taken(self, row: Row, among: list[Row]) -> bool:
        return any(
            other["number"] == row["number"] or (other["email"] == row["email"] and not other["deleted"])
            for other in among
            if other is not row
        )

    def expect(self, error: type[Exception] | None, write: Callable[[], object]) -> bool:
        """Write in a savepoint, and tell whether it was let through, as it should be."""
        if error is None:
            write()
            return True
        with pytest.raises(error), self.work.savepoint():
            write()
        return False

    @rule(email=EMAILS, number=NUMBERS, age=AGES)
    def create(self, email: str, number: str, age: int) -> None:
        row = {"email": email, "number": number, "age": age, "deleted": False}
        error = UniqueViolationError if self.taken(row, self.rows) else None
        if self.expect(error, lambda: self.accounts.create(email=email, number=number, age=age)):
            self.rows.append(row)

    @rule(rows=st.lists(st.tuples(EMAILS, NUMBERS, AGES), max_size=4))
    def create_many(self, rows: list[tuple[str, str, int]]) -> None:
        new: list[Row] = []
        for email, number, age in rows:
            row = {"email": email, "number": number, "age": age, "deleted": False}
            if not self.taken(row, [*self.rows, *new]):
                new.append(row)
        written = self.accounts.create_many([dict(zip(NAMES, row, strict=True)) for row in rows], skip_duplicates=True)
        assert written == len(new)
        self.rows += new

    @rule(email=EMAILS, number=NUMBERS, age=AGES)
    def upsert_by_number(self, email: str, number: str, age: int) -> None:
        there = self.by_number(number, deleted_too=True)
        new = {"email": email, "number": number, "age": 0, "deleted": False}
        refused = there["deleted"] if there else self.taken(new, self.rows)

        def write() -> Account:
            return self.accounts.upsert({"number": number}, create={"email": email}, update={"age": age})

        if self.expect(UniqueViolationError if refused else None, write):
            if there is None:
                self.rows.append(new)
            else:
                there["age"] = age

    @rule(email=EMAILS, number=NUMBERS)
    def upsert_by_email(self, email: str, number: str) -> None:
        there = next((row for row in self.alive() if row["email"] == email), None)
        new = {"email": email, "number": number, "age": 0, "deleted": False}
        refused = there is None and self.taken(new, self.rows)

        def write() -> Account:
            return self.accounts.upsert({"email": email}, create={"number": number}, update={})

        if self.expect(UniqueViolationError if refused else None, write) and there is None:
            self.rows.append(new)

    @rule(number=NUMBERS, age=AGES)
    def update(self, number: str, age: int) -> None:
        row = self.by_number(number)
        error = NotFoundError if row is None else None
        self.expect(error, lambda: self.accounts.update({"number": number}, age=age))
        if row is not None:
            row["age"] = age

    @rule(below=AGES, age=AGES)
    def update_many(self, below: int, age: int) -> None:
        meant = [row for row in self.alive() if row["age"] < below]
        assert self.accounts.update_many(Account.age < below, age=age) == len(meant)
        for row in meant:
            row["age"] = age

    @rule(number=NUMBERS, hard=st.booleans())
    def delete(self, number: str, *, hard: bool) -> None:
        row = self.by_number(number, deleted_too=hard)
        error = NotFoundError if row is None else None
        self.expect(error, lambda: self.accounts.delete({"number": number}, hard=hard))
        if row is not None:
            self.forget([row], hard=hard)

    @rule(age=AGES, hard=st.booleans())
    def delete_many(self, age: int, *, hard: bool) -> None:
        meant = [row for row in (self.rows if hard else self.alive()) if row["age"] == age]
        assert self.accounts.delete_many(Account.age == age, hard=hard) == len(meant)
        self.forget(meant, hard=hard)

    def forget(self, rows: list[Row], *, hard: bool) -> None:
        for row in rows:
            row["deleted"] = True
        if hard:
            self.rows = [row for row in self.rows if row not in rows]

    @rule(number=NUMBERS)
    def restore(self, number: str) -> None:
        row = self.by_number(number, deleted_too=True)
        error: type[Exception] | None = NotFoundError
        if row is not None:
            replaced = any(other["email"] == row["email"] for other in self.alive() if other is not row)
            error = UniqueViolationError if replaced else None
        if self.expect(error, lambda: self.accounts.restore({"number": number})) and row is not None:
            row["deleted"] = False

    @invariant()
    def reads_agree(self) -> None:
        """Every read shows what the list has."""
        for deleted, rows in ((False, self.alive()), (True, self.rows)):
            found = self.accounts.find_many(with_deleted=deleted)
            shown = [(row.email, row.number, row.age, row.deleted_at is not None) for row in found]
            assert sorted(shown) == sorted((row["email"], row["number"], row["age"], row["deleted"]) for row in rows)
            assert self.accounts.count(with_deleted=deleted) == len(rows)
            assert self.accounts.exists(age=1, with_deleted=deleted) == any(row["age"] == 1 for row in rows)
            total = self.accounts.aggregate(total=func.sum(Account.age), with_deleted=deleted).total
            assert (total or 0) == sum(row["age"] for row in rows)

    @rule(size=st.integers(1, 3), deleted=st.booleans(), backward=st.booleans())
    def walk(self, size: int, *, deleted: bool, backward: bool) -> None:
        """Page by page there, or from the end back, come all rows in their order."""
        rows = sorted(self.rows if deleted else self.alive(), key=lambda row: (-row["age"], row["email"]))
        page = self.accounts.page(order_by=["-age", "email"], size=size, with_deleted=deleted, with_total=True)
        assert page.total == len(rows)
        seen = list(page.items)
        while page.has_next:
            page = self.accounts.page(
                order_by=["-age", "email"], size=size, with_deleted=deleted, after=page.end_cursor
            )
            seen = list(page.items) if backward and not page.has_next else [*seen, *page.items]
        while backward and page.has_previous:
            page = self.accounts.page(
                order_by=["-age", "email"], size=size, with_deleted=deleted, before=page.start_cursor
            )
            seen = [*page.items, *seen]
        assert [(row["age"], row["email"]) for row in rows] == [(item.age, item.email) for item in seen]


def walk(accounts: Accounts) -> None:
    """Do each thing once, as chance may leave one out."""
    accounts.create(email="a", number="1", age=1)
    accounts.create_many(rows=[("b", "2", 2), ("b", "3", 2)])
    accounts.upsert_by_number(email="c", number="3", age=3)
    accounts.upsert_by_number(email="c", number="3", age=4)
    accounts.upsert_by_email(email="a", number="3")
    accounts.update(number="1", age=0)
    accounts.update_many(below=2, age=3)
    for hard in (False, True, True):
        accounts.delete(number="2", hard=hard)
    accounts.delete_many(age=3, hard=True)
    accounts.teardown()


@pytest.mark.in_session
def test_a_repository_is_a_list_of_dicts(work: Work) -> None:
    """Whatever is written, every read and every walk through the pages shows what the list has."""
    walk(Accounts(work))
    few = settings(max_examples=12, stateful_step_count=30, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(partial(Accounts, work), settings=few)  # type: ignore[arg-type]  # a factory will do
