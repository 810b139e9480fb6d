"""The outbox, and the mails in it."""

from email.message import EmailMessage

import pytest

from pgauthkit.testing import Mail, Outbox
from pgauthkit.tokens import Kind, SecretToken


def test_the_newest_mail_to_an_address_is_found_however_it_is_written() -> None:
    """`last` looks for the canonical address, or takes the newest of all."""
    outbox = Outbox()
    outbox.send("ada@example.com", "First", "")
    outbox.send("Ada@Example.com", "Second", "")
    outbox.send("eve@example.com", "Third", "")
    assert [outbox.last("ADA@example.com").subject, outbox.last().subject] == ["Second", "Third"]


def test_a_mail_that_was_not_sent_is_an_error() -> None:
    """Where there is no mail, or none to that address, the error says so."""
    outbox = Outbox()
    with pytest.raises(LookupError, match=r"^There is no mail\.$"):
        outbox.last()
    with pytest.raises(LookupError, match=r"^There is no mail to ada@example\.com\.$"):
        outbox.last("ada@example.com")


def test_it_is_a_sequence_that_is_true_while_empty() -> None:
    """Mails are counted, iterated, indexed and forgotten; `mailer or default` takes an outbox that has none yet."""
    outbox = Outbox()
    outbox.send("ada@example.com", "First", "")
    outbox.send("ada@example.com", "Second", "")
    assert [mail.subject for mail in outbox] == ["First", "Second"]
    assert (outbox[0].subject, [mail.subject for mail in outbox[1:]]) == ("First", ["Second"])
    outbox.clear()
    assert (len(outbox), bool(outbox)) == (0, True)


def test_links_are_found_in_the_text_and_no_text_is_printed() -> None:
    """The addresses and the token of a link are found; the repr shows neither."""
    token = SecretToken.new(0).text(Kind.MAGIC_LINK).reveal()
    mail = Mail(
        to="ada@example.com", subject="In", text=f"Go to <https://a.example/x?token={token}> or http://b.example."
    )
    assert mail.urls == (f"https://a.example/x?token={token}", "http://b.example.")
    assert (mail.url, mail.token) == (mail.urls[0], token)
    assert token not in repr(mail)


def test_a_mail_without_a_link_is_an_error() -> None:
    """Asked for the address or the token of a mail without one, it says which mail that is."""
    mail = Mail(to="ada@example.com", subject="Hello", text="Nothing here.")
    with pytest.raises(LookupError, match="no address in the mail 'Hello'"):
        assert mail.url
    with pytest.raises(LookupError, match="no magic link in the mail 'Hello'"):
        assert mail.token


def test_messages_of_the_standard_library_are_taken() -> None:
    """`send_message` takes what `smtplib` takes, with a text, with HTML, or with nothing."""
    outbox = Outbox()
    for content, kind in [("Text", "plain"), ("<p>HTML", "html")]:
        message = EmailMessage()
        message["To"], message["Subject"] = "ada@example.com", kind
        message.set_content(content, subtype=kind)
        outbox.send_message(message)
    empty = EmailMessage()
    empty["To"], empty["Subject"] = "ada@example.com", "none"
    empty.make_mixed()
    outbox.send_message(empty)
    assert [(mail.subject, mail.text.strip()) for mail in outbox] == [
        ("plain", "Text"),
        ("html", "<p>HTML"),
        ("none", ""),
    ]
