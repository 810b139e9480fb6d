"""`pgauthkit`: the main command, which imports a command only when it is asked for, so that help is quick."""

from importlib import import_module
from typing import Final

import click

from pgauthkit.cli.printable import printable
from pgauthkit.errors import PgAuthKitError

__all__ = ["main"]

CANCELLED: Final = 130  # 128 + SIGINT, as shells have it

# The command `dev-db` is `dev_db` in `pgauthkit.cli.dev_db`; the sentence is the first of its own help.
COMMANDS: Final = {
    "backup": "Write a dump of the database, and a manifest to check it by.",
    "demo": "Show a whole sign-in, step by step, on a database of its own.",
    "dev-db": "A local PostgreSQL server that stays, for development.",
    "doctor": "Tell what is wrong with this set-up, and what to do.",
    "erd": "Draw the tables and their relations, in Mermaid.",
    "migrate": "Bring a database to what this release needs.",
    "pull": "Write models of the tables that a database has.",
    "purge": "Delete expired links, sessions, devices and rate limits.",
    "restore": "Put a dump into a database, all of it or nothing.",
    "revoke": "End the sessions of everybody, and every pending link.",
    "seed": "Run the application's seed, in one transaction.",
    "studio": "Look at the database in a browser.",
    "upgrade": "Move to a newer version of PostgreSQL.",
}


class _Main(click.Group):
    """A group that imports its commands late, and turns our errors and Ctrl-C into exit codes."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; the entries in `commands` are there for listing and for guessing at mistyped names."""
        if super().get_command(ctx, cmd_name) is None:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"pgauthkit.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run a command, and turn what it raises into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except PgAuthKitError as error:
            raise click.ClickException(printable(str(error))) from error
        except (KeyboardInterrupt, click.Abort):
            click.echo("cancelled", err=True)
            ctx.exit(CANCELLED)


@click.group(
    cls=_Main,
    commands={name: click.Command(name) for name in COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine, 1 not fine, 2 wrong use, 130 cancelled. Example: pgauthkit demo",
)
@click.version_option(package_name="pgauthkit", message="%(prog)s %(version)s")
def main() -> None:
    """Passwordless sign-in, typed repositories and safe migrations on PostgreSQL."""
