"""What the ledger says of a revision."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pgauthkit.ops.revisions.ledger import Entry

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_duration_over_a_change_of_the_clocks() -> None:
    """A revision that ran while the clocks were put back took as long as it took."""
    entry = Entry(
        checksum="",
        how="run",
        started_at=datetime(2027, 10, 31, 2, 59, tzinfo=BERLIN),
        finished_at=datetime(2027, 10, 31, 2, 1, tzinfo=BERLIN, fold=1),
        sqlstate=None,
        applied_by="ada",
    )
    assert entry.duration == timedelta(minutes=2)
