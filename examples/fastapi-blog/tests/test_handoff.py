"""Asking on the computer, and opening the mail on the phone."""

import re
from collections.abc import Callable

import pytest
from blog.cookies import WAITING
from mail_server import Mailbox
from starlette.testclient import TestClient

Browser = Callable[[], TestClient]
ASKED = {"email": "ada@example.com"}


def ask(client: TestClient, email: str = ASKED["email"]) -> dict[str, str]:
    """Ask for a link, and return what the waiting page sends every few seconds."""
    page = client.post("/sign-in", data={"email": email}).text
    found = re.search(r'name="match" value="(\d\d)"', page)
    assert found
    return {"email": email, "match": found[1]}


def common(text: str) -> str:
    """Return a mail or a page without what differs between two people: the token, the address and the time."""
    return re.sub(r"pgak_[\w-]+|\w+@example\.com|\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", text)


def another(number: str) -> str:
    """Return a number that is another one."""
    return "10" if number != "10" else "11"


def test_the_computer_is_let_in_by_the_phone(browser: Browser, mailbox: Mailbox) -> None:
    """The phone shows who asked, takes the number, and is itself not signed in; the computer is."""
    computer, phone = browser(), browser()
    computer.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
    waiting = ask(computer)
    pending = computer.post("/waiting", data=waiting)
    assert (pending.status_code, pending.headers["retry-after"]) == (202, "3")
    assert waiting["match"] in pending.text

    link = mailbox.newest_link()
    page = phone.get(link).text
    assert "Firefox on Linux" in page
    assert 'action="/confirm"' not in page
    typed = {"token": link.partition("token=")[2], "match": f" {waiting['match']} "}
    assert "signed in there" in phone.post("/approve", data=typed).text
    assert phone.get("/sessions").url.path == "/sign-in"

    assert computer.post("/waiting", data=waiting).url.path == "/"
    assert computer.get("/sessions").url.path == "/sessions"
    assert WAITING not in computer.cookies


def test_the_number_is_on_the_computer_alone(browser: Browser, mailbox: Mailbox) -> None:
    """Neither the mail nor the page on the phone has it: they say the same to two people with two numbers."""
    people = ["ada@example.com", "eve@example.com"]
    numbers = [ask(browser(), email)["match"] for email in people]
    while numbers[0] == numbers[1]:
        numbers[1] = ask(browser(), people[1])["match"]
    ada, eve = (mailbox.newest_link(to=email) for email in people)
    assert common(browser().get(ada).text) == common(browser().get(eve).text)
    assert common(mailbox.messages[0].get_content()) == common(mailbox.messages[-1].get_content())


def test_asking_again_keeps_the_number(browser: Browser, mailbox: Mailbox) -> None:
    """Each mail is good, with the one number that stands on the page."""
    computer, phone = browser(), browser()
    waiting = ask(computer)
    first = mailbox.newest_link()
    assert ask(computer) == waiting
    phone.post("/approve", data={"token": first.partition("token=")[2], "match": waiting["match"]})
    assert computer.post("/waiting", data=waiting).url.path == "/"


def test_a_wrong_number(browser: Browser, mailbox: Mailbox) -> None:
    """A wrong number lets nobody in, and after three the link takes none any more."""
    computer, phone = browser(), browser()
    waiting = ask(computer)
    token = mailbox.newest_link().partition("token=")[2]
    wrong = {"token": token, "match": another(waiting["match"])}
    answers = [phone.post("/approve", data=wrong) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert 'name="match"' in answers[0].text
    assert phone.post("/approve", data={"token": token, "match": waiting["match"]}).status_code == 400
    assert computer.post("/waiting", data=waiting).status_code == 202
    assert computer.post("/confirm", data={"token": token}).url.path == "/"


def test_the_link_is_good_in_the_browser_that_asked_alone(browser: Browser, mailbox: Mailbox) -> None:
    """Who has the mail and not the browser is not signed in; the browser that asked is, and then waits no more."""
    computer, phone = browser(), browser()
    waiting = ask(computer)
    token = {"token": mailbox.newest_link().partition("token=")[2]}
    assert phone.post("/confirm", data=token).status_code == 400
    assert computer.post("/confirm", data=token).url.path == "/"
    assert computer.post("/waiting", data=waiting).url.path == "/"
    assert phone.post("/approve", data={**token, "match": waiting["match"]}).status_code == 400


@pytest.mark.parametrize("cookie", [None, "pgak_ho_nothing"])
def test_a_browser_that_waits_for_nothing(browser: Browser, cookie: str | None) -> None:
    """Without a link to wait for, the page leads back to the form, which says why."""
    client = browser()
    if cookie:
        client.cookies.set(WAITING, cookie)
    answer = client.post("/waiting", data={**ASKED, "match": "47"})
    assert answer.url.path == "/sign-in"
    assert "Nobody let this browser in" in answer.text
