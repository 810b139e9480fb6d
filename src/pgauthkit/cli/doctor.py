"""`pgauthkit doctor`: what is wrong with this set-up, and what to do."""

import json
import os
from datetime import timedelta
from pathlib import Path

import attrs
import click

from pgauthkit.cli.models import models
from pgauthkit.cli.settings import APPLICATION_URL, resolve_url
from pgauthkit.ops.doctor import Finding, SetUp, examine
from pgauthkit.ops.revisions.host import find_host

__all__ = ["doctor"]

COLOURS = {"ok": "green", "warning": "yellow", "wrong": "red"}


@click.command(epilog="Example: pgauthkit doctor --processes 8 --backups /var/backups/blog")
@APPLICATION_URL
@click.option(
    "--pool-size", type=click.IntRange(min=1), help="Connections of a process, at most.  [default: by the URL]"
)
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Processes with a pool each."
)
@click.option(
    "--backups",
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory of the backups; without, they are not looked at.",
)
@click.option(
    "--replica", metavar="URL", help="A replica that reads are sent to (ReplicaReads); without, it is not looked at."
)
@click.option(
    "--max-staleness",
    type=click.FloatRange(min=0.01, max=3600),
    default=1.0,
    show_default=True,
    help="Seconds that an answer of the replica may be old.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def doctor(
    *,
    url: str | None,
    pool_size: int | None,
    processes: int,
    backups: Path | None,
    replica: str | None,
    max_staleness: float,
    as_json: bool,
) -> None:
    """Tell what is wrong with this set-up, and what to do.

    A line for each check: ok, warning or wrong. Exit code 1 when something is wrong. Nothing is changed; drift is
    looked for in a second database where the role may make one.

    DATABASE_URL goes before DIRECT_URL: what is examined is what the application has. With both set, migrations and
    drift are looked at by DIRECT_URL.
    """
    track = find_host(Path.cwd())
    if track is None:
        models()  # See `migrate drift`.
    set_up = SetUp(
        url=resolve_url(url, direct=False),
        direct_url=None if url else os.environ.get("DIRECT_URL") or None,
        host=track,
        pool_size=pool_size,
        processes=processes,
        backups=backups,
        replica_url=replica,
        max_staleness=timedelta(seconds=max_staleness),
    )
    report = examine(set_up)
    if as_json:
        findings = [attrs.asdict(finding) for finding in report.findings]
        click.echo(json.dumps({"fine": report.is_fine, "findings": findings}, indent=2))
    else:
        for finding in report.findings:
            click.echo(_line(finding))
    click.get_current_context().exit(0 if report.is_fine else 1)


def _line(finding: Finding) -> str:
    level = click.style(f"{finding.level:7}", fg=COLOURS[finding.level])
    sentence = " ".join(f"{finding.message} {finding.advice}".split())
    return f"{level}  {finding.check:9}  {sentence}"
