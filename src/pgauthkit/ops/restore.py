"""Everything that `pgauthkit restore` and `pgauthkit backup verify` do, in one place."""

from pgauthkit.ops.dump.restore import Discrepancy, Restoration, restore
from pgauthkit.ops.dump.statistics import Statistics
from pgauthkit.ops.dump.verification import rehearse

__all__ = ["Discrepancy", "Restoration", "Statistics", "rehearse", "restore"]
