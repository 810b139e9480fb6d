"""What holds for every statement of the service."""

import re

import pytest

from pgauthkit.statements import codes, devices, magic_links, purge, revocation, sessions, users
from pgauthkit.statements.statement import Statement

KNOWN = {
    statement_name: statement
    for module in (codes, devices, magic_links, purge, revocation, sessions, users)
    for statement_name, statement in vars(module).items()
    if isinstance(statement, Statement)
} | {
    "request_magic_link": magic_links.request_magic_link(("ip", "email_and_ip", "email")),
    "request_magic_link on a device": magic_links.request_magic_link(("device", "ip", "email")),
    "request_magic_link without limits": magic_links.request_magic_link(()),
    "count_attempt": codes.count_attempt(("code",)),
    "count_attempt on a device": codes.count_attempt(("code_device", "code")),
    "count_attempt without limit": codes.count_attempt(()),
}


@pytest.mark.parametrize("statement", KNOWN.values(), ids=KNOWN)
def test_a_statement_takes_values_only_by_the_names_we_gave(statement: Statement) -> None:
    """No value slips in as an anonymous parameter that nobody would pass."""
    anonymous = [name for name in re.findall(r"%\((\w+)\)s", statement.sql) if re.search(r"_\d+$", name)]
    assert anonymous == []


@pytest.mark.parametrize("statement", KNOWN.values(), ids=KNOWN)
def test_a_statement_is_one(statement: Statement) -> None:
    """There is no second statement in the text, and it is compiled once."""
    assert ";" not in statement.sql
    assert statement.sql is statement.sql


@pytest.mark.parametrize("statement", KNOWN.values(), ids=KNOWN)
def test_a_clock_is_in_a_text_of_its_own(statement: Statement) -> None:
    """In production the server's time stands in the text itself; with a clock there is none of it."""
    times = ("statement_timestamp()", "clock_timestamp()")
    assert "%(clock)s" not in statement.sql
    assert not any(time in statement.sql_on_a_clock for time in times)
    assert any(time in statement.sql for time in times) == ("%(clock)s" in statement.sql_on_a_clock)
