"""`pgauthkit migrate adopt-prisma`: the users of a database that Prisma has made."""

import attrs
import click

from pgauthkit.cli.migrate.options import JSON, URL, database, print_json, say
from pgauthkit.ops import migrate as ops

__all__ = ["adopt_prisma"]


@click.command(epilog="Example: pgauthkit migrate adopt-prisma --table users --column created_at=joined --dry-run")
@click.option("--schema", default="public", show_default=True, help="Where the table is.")
@click.option("--table", metavar="NAME", help="The table.  [default: the only one of User, users, user and Users]")
@click.option(
    "--column",
    "columns",
    metavar="OURS=THEIRS",
    multiple=True,
    help="Read a column of ours from that one; OURS= for the default.  [default: by its name]",
)
@click.option("--dry-run", is_flag=True, help="Say what it would do with how many users; change nothing.")
@click.option("--batch-size", type=click.IntRange(1, 100_000), default=2000, show_default=True, help="Users at a time.")
@URL
@JSON
@click.pass_context
def adopt_prisma(
    ctx: click.Context,
    *,
    schema: str,
    table: str | None,
    columns: tuple[str, ...],
    dry_run: bool,
    batch_size: int,
    url: str | None,
    as_json: bool,
) -> None:
    """Take over the users of a database that Prisma's schema made; exit code 1 where some could not be taken.

    An id and an address are enough: who has no role is a USER, active, and was created now. Ids stay, as text; tokens
    do not move, so people sign in again. The old tables are only read. It can be run again.
    """

    def show(sofar: ops.Adoption) -> None:
        click.echo(f"… {sofar.total:,} users", err=True)

    target, chosen = database(url), _by_name(columns)
    if dry_run:
        plan = ops.plan_adoption(target, schema=schema, table=table, columns=chosen)
        _print_plan(plan, as_json=as_json)
        done = plan.outcome
    else:
        progress = None if as_json else show
        done = ops.adopt_prisma(
            target, schema=schema, table=table, columns=chosen, batch_size=batch_size, on_progress=progress
        )
        _print_adoption(done, as_json=as_json)
    ctx.exit(1 if done.merged or done.refused else 0)


def _by_name(columns: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in columns]
    if wrong := [one for one, (ours, equals, _) in zip(columns, pairs, strict=True) if not (ours and equals)]:
        raise click.UsageError(f"A column is written OURS=THEIRS, such as created_at=joined, not {wrong[0]}.")
    return {ours: theirs for ours, _, theirs in pairs}


def _print_plan(plan: ops.AdoptionPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(attrs.asdict(plan))
        return
    click.echo(f"From {plan.table}:")
    click.echo("".join(f"  {ours}: {told}\n" for ours, told in plan.columns.items()), nl=False)
    _print_left_out(plan.outcome)
    done = plan.outcome
    say(f"[green]Would take:[/] {done.taken:,} of {done.total:,} users; {done.present:,} are there. Nothing was done.")
    if plan.moves:
        say("For a migration of yours, so that foreign keys lead to our users, once everybody is there:")
        click.echo("".join(f"  {statement}\n" for statement in plan.moves), nl=False)


def _print_adoption(done: ops.Adoption, *, as_json: bool) -> None:
    if as_json:
        print_json(attrs.asdict(done))
        return
    _print_left_out(done)
    say(f"[green]Taken:[/] {done.taken:,} of {done.total:,} users; {done.present:,} were there before.")


def _print_left_out(done: ops.Adoption) -> None:
    for merged in done.merged:
        click.echo(f"not taken: {merged.id}, because {merged.email} is {merged.kept}'s address")
    for refused in done.refused:
        click.echo(f"not taken: {refused.id}. {refused.reason}")
