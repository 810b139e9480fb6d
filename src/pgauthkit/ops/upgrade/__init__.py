"""Moving to a server of a newer version while the application runs: by logical replication, and a short pause."""

from pgauthkit.ops.upgrade.cancelling import cancel
from pgauthkit.ops.upgrade.checking import Check, TableCheck, check
from pgauthkit.ops.upgrade.planning import Plan, PlannedTable, plan
from pgauthkit.ops.upgrade.switching import Switch, switch

__all__ = ["Check", "Plan", "PlannedTable", "Switch", "TableCheck", "cancel", "check", "plan", "switch"]
