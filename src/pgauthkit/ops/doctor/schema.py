"""Checks of the schema: are all revisions applied, and is the database what they make."""

from collections.abc import Generator, Iterator
from typing import Final

from pgauthkit.errors import MigrationError, PgAuthKitError
from pgauthkit.ops.doctor.finding import Finding, SetUp
from pgauthkit.ops.migrate.drift import find_drift
from pgauthkit.ops.revisions.diagnosis import Status, status

__all__ = ["check_drift", "check_revisions"]

_AS_OWNER: Final = "Give the owner's URL as DIRECT_URL: the application's role need not see the revisions."


def check_revisions(set_up: SetUp) -> Generator[Finding, None, bool]:
    """Tell whether all revisions of both tracks are applied as their files say; returns whether ours are there."""
    try:
        found = status(set_up.direct, host=set_up.host)
    except PgAuthKitError as error:
        advice = "" if isinstance(error, MigrationError) else _AS_OWNER  # what files have is no question of rights
        yield Finding(check="revisions", level="warning", message=f"Could not be looked at: {error}", advice=advice)
        return True
    yield from _judged(found)
    return not found.bundled.pending


def _judged(found: Status) -> Iterator[Finding]:
    for track in found.tracks:
        name = "pgauthkit" if track.name == "bundled" else "the application"
        if track.in_sync:
            message = f"Every revision of {name} is applied ({', '.join(track.heads)})."
            yield Finding(check="revisions", level="ok", message=message)
            continue
        off = [f"{revision.id} ({revision.state})" for revision in track.revisions if revision.state != "applied"]
        advice = "Run pgauthkit migrate deploy." if track.pending else "See pgauthkit migrate status."
        message = f"Not in sync, of {name}: {', '.join(off)}."
        yield Finding(check="revisions", level="wrong", message=message, advice=advice)


def check_drift(set_up: SetUp) -> Iterator[Finding]:
    """Compare the database with what its revisions make, where the role may make a second database."""
    try:
        found = find_drift(set_up.direct, host=set_up.host)
    except PgAuthKitError as error:
        yield Finding(check="drift", level="warning", message=f"Could not be looked at: {error}")
        return
    if not found:
        yield Finding(check="drift", level="ok", message="The database is what its revisions make of it.")
    for difference in found:
        advice = "See pgauthkit migrate drift, which shows both and the ways out."
        yield Finding(check="drift", level="wrong", message=difference.explanation, advice=advice)
