"""The story of the demo: each step is taken, and printed with its result."""

from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from pgauthkit.cli.demo.narrator import Narrator
from pgauthkit.errors import PgAuthKitError
from pgauthkit.models import SCHEMA
from pgauthkit.ops.demo import TYPED_EMAIL, Demo, kept_hash
from pgauthkit.secret import Secret
from pgauthkit.values import IssuedMagicLink, TokenPair

__all__ = ["tell_story"]

# Of each table, what fits; the search looks at every column.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "users": ("id", "email", "role", "last_login_at"),
    "magic_links": ("email", "token_hash", "expires_at", "used_at"),
    "sessions": ("selector_hash", "refresh_token_hash", "revoked_at"),
    "devices": ("token_hash", "last_used_at"),
    "rate_limits": ("key", "full_at"),
}
SHOWN: Final = 8  # characters of a hash or an id


def tell_story(narrator: Narrator, demo: Demo) -> None:
    """Take and tell every step from the migrations to a look at the tables."""
    _prepare(narrator, demo)
    link = narrator.run("Ask for a link", demo.ask_for_link)
    _show_mail(narrator, link)
    first = _open(narrator, demo, link)
    second = _refresh(narrator, demo, first)
    _replay(narrator, demo, first, second)
    _sign_out(narrator, demo)
    _hand_off(narrator, demo)
    _look_at_rest(narrator, demo)


def _prepare(narrator: Narrator, demo: Demo) -> None:
    done = narrator.run("Deploy the migrations", demo.deploy)
    narrator.tell("applied", ", ".join(done.applied) or "nothing, all were there")
    narrator.tell(f"schema {SCHEMA}", ", ".join(done.tables))
    seeded = narrator.run("Seed an admin", demo.seed)
    narrator.tell("upsert", f"{seeded.email}, {seeded.role}")
    narrator.tell("  once more", "the same row: a seed may run any number of times")


def _show_mail(narrator: Narrator, link: IssuedMagicLink) -> None:
    narrator.tell("request_magic_link", f"{TYPED_EMAIL} means {link.email}")
    narrator.tell("", "The library sends nothing; this is for the host to mail:")
    mail = (
        ("To:      ", "dim"),
        f"{link.email}\n",
        ("Subject: ", "dim"),
        "Your link to sign in\n\n",
        # A Secret shows itself as ********, here as anywhere.
        (f"https://app.example.com/sign-in?token={link.token}", "cyan underline"),
        f"\nGood for one sign-in, until {_time(link.expires_at)}.",
    )
    narrator.frame(Text.assemble(*mail))


def _open(narrator: Narrator, demo: Demo, link: IssuedMagicLink) -> TokenPair:
    used = narrator.run("Open the link", demo.open_link, link)
    narrator.tell("peek_magic_link", f"for {used.preview.email}, and as good as before")
    narrator.tell("verify_magic_link", f"signed in, and on to {used.signed_in.redirect_to}")
    narrator.tell("  once more", _refusal(used.second_use))
    tokens = used.signed_in.tokens
    who = narrator.run("Authenticate a request", demo.authenticate, tokens)
    narrator.tell("authenticate", f"{who.email}, {who.role}, until {_time(who.expires_at)}")
    return tokens


def _refresh(narrator: Narrator, demo: Demo, tokens: TokenPair) -> TokenPair:
    tabs = narrator.run("Refresh from two tabs at once", demo.refresh_from_two_tabs, tokens)
    for number, pair in enumerate((tabs.first, tabs.second), 1):
        hashes = f"access {_hash(pair.access_token)}, refresh {_hash(pair.refresh_token)} (their hashes)"
        narrator.tell(f"refresh, tab {number}", hashes)
    narrator.prove(f"Compared: the same pair for both. {tabs.rotations} rotated, {tabs.converged} converged to it.")
    return tabs.first


def _replay(narrator: Narrator, demo: Demo, old: TokenPair, current: TokenPair) -> None:
    replay = narrator.run("Replay an old refresh token", demo.replay, old, current)
    narrator.tell("refresh, the owner", "with the second token, for a third")
    narrator.tell("refresh, a thief", Text.assemble("with the first: ", _refusal(replay.refresh)))
    narrator.tell("authenticate", _refusal(replay.access))


def _sign_out(narrator: Narrator, demo: Demo) -> None:
    out = narrator.run("Sign in again, in async code, and sign out", demo.sign_in_and_out)
    narrator.tell("verify_magic_link", f"awaited: {out.signed_in.user.email} is signed in")
    narrator.tell("sign_out", "awaited: the session has ended")
    narrator.tell("authenticate", _refusal(out.access))


def _hand_off(narrator: Narrator, demo: Demo) -> None:
    handed = narrator.run("Ask on a laptop, open the mail on a phone", demo.hand_off)
    asked = handed.preview
    narrator.tell("ask, on the laptop", f"it shows the number {handed.match}; it is in no mail")
    narrator.tell("claim, the laptop", _refusal(handed.waiting))
    narrator.tell("peek, on the phone", f"asked in {asked.asked_browser}, from {asked.asked_ip}")
    narrator.tell("approve, the phone", Text.assemble("with a wrong number: ", _refusal(handed.wrong)))
    narrator.tell("  once more", f"with {handed.match}, which was typed")
    narrator.tell("claim, the laptop", f"{handed.signed_in.user.email} is signed in, and the phone is not")


def _look_at_rest(narrator: Narrator, demo: Demo) -> None:
    found = narrator.run("Look at the tables", demo.look_at_rest)
    for name, columns in COLUMNS.items():
        rows = [[_cell(column, row[column]) for column in columns] for row in found.tables[name]]
        narrator.tabulate(name, columns, rows)
    search, replaced = found.search, found.search.secrets - found.search.hashes
    narrator.prove(f"Searched every column of {search.rows} rows for the {search.secrets} secrets issued: none found.")
    narrator.prove(f"The same search finds the hashes of {search.hashes} of them; {replaced} were rotated away.")


def _cell(column: str, value: object) -> str:
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, bytes):
        return _short(value.hex())
    return _short(str(value)) if column == "id" else str(value)


def _hash(token: Secret) -> str:
    return _short(kept_hash(token).hex())


def _short(text: str) -> str:
    return f"{text[:SHOWN]}…"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def _refusal(error: PgAuthKitError) -> Text:
    return Text.assemble((type(error).__name__, "bold yellow"), f": {error}")
