"""`pgauthkit demo`: a whole sign-in, step by step, on a PostgreSQL of its own."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import click
from rich.syntax import ANSI_DARK, ANSISyntaxTheme, Syntax
from rich.text import Text

from pgauthkit.cli.demo.narrator import Narrator, console_for_all
from pgauthkit.cli.demo.server import foreign_server, lasting_server, passing_server
from pgauthkit.cli.demo.story import tell_story
from pgauthkit.cli.dev_db import ACCOUNT, BINARIES
from pgauthkit.ops.demo import Demo

__all__ = ["CODE", "NEXT", "demo", "play"]

CODE: Final = """\
from pgauthkit import AuthService
from pgauthkit.database import create_engine

auth = AuthService(create_engine())  # on DATABASE_URL
link = auth.request_magic_link("ada@example.com", redirect_to="/inbox")
if link.should_send:
    send_mail(link.email, link.url("https://app.example.com/sign-in"))

signed_in = auth.verify_magic_link(token)  # from the link
identity = auth.authenticate(signed_in.tokens.access_token.reveal())"""
NEXT: Final = (
    ("pgauthkit dev-db start", "a PostgreSQL that stays"),
    ('export DATABASE_URL="$(pgauthkit dev-db url)"', "where the others look"),
    ("pgauthkit migrate deploy", "make the tables"),
    ("pgauthkit --help", "everything else"),
)
ROOM: Final = 48
# The terminal's own colours, without the underlined names of modules, which look like links.
COLOURS: Final = ANSISyntaxTheme({token: style for token, style in ANSI_DARK.items() if not style.underline})


@click.command(epilog="Example: pgauthkit demo --keep && pgauthkit dev-db status")
@click.option(
    "--url",
    metavar="URL",
    help="Run in a database of your own, postgresql://…, without a password: other users of the machine can see command"
    " lines. It gets the tables, and the demo's rows are removed again.",
)
@click.option("--keep", is_flag=True, help="Run on the project's development server, and leave it running.")
@BINARIES
@ACCOUNT
def demo(*, url: str | None, keep: bool, binaries: Path | None, account: str | None) -> None:
    """Show a whole sign-in, step by step, on a database of its own.

    It starts a real PostgreSQL, makes the tables and an admin, asks for a link, signs in, refreshes, replays, signs
    out, lets a laptop in from a phone, and shows what the tables hold. It needs no server and no settings, and leaves
    nothing behind.
    """
    if url and keep:
        raise click.UsageError("--keep is for the demo's own server; one given with --url stays anyway.")
    narrator = Narrator(console_for_all())
    if url:
        play(narrator, foreign_server(narrator, url))
    else:
        start = lasting_server if keep else passing_server
        play(narrator, start(narrator, binaries=binaries, account=account))
    _suggest(narrator)


def play(narrator: Narrator, server: AbstractContextManager[str]) -> None:
    """Tell the demo from beginning to end.

    Args:
        narrator: who tells it.
        server: gives the URL of the database to play in.
    """
    narrator.section("A whole sign-in without a password, on a real PostgreSQL")
    with server as url, Demo(url) as steps:
        tell_story(narrator, steps)
    narrator.section(f"Done in {narrator.elapsed:.1f} s.")


def _suggest(narrator: Narrator) -> None:
    narrator.section("The same in your own code:")
    narrator.show(Syntax("", "python", theme=COLOURS).highlight(CODE))
    narrator.section("What comes next:")
    for command, purpose in NEXT:
        narrator.tell(command, Text(f"# {purpose}", "dim"), room=ROOM)
