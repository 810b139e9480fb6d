"""Everything that `pgauthkit migrate` does, in one place: each command's function, and the value that it returns."""

from pgauthkit.ops.authoring import new_revision
from pgauthkit.ops.deployment import Deployment, deploy, status
from pgauthkit.ops.development import Development, develop
from pgauthkit.ops.diagnosis import RevisionStatus, Status, TrackStatus
from pgauthkit.ops.drift import Difference, find_drift
from pgauthkit.ops.prisma import Adoption, adopt_prisma
from pgauthkit.ops.rehearsal import Rehearsal, rehearse_rollback
from pgauthkit.ops.reset import Reset, reset
from pgauthkit.ops.resolution import Resolution, resolve_applied, resolve_rolled_back
from pgauthkit.ops.review import Finding, Script, lint, pending_sql, range_sql
from pgauthkit.ops.rollback import Loss, Rollback, RollbackPlan, plan_rollback, rollback
from pgauthkit.ops.scaffold import scaffold
from pgauthkit.ops.tracks import Track, host_track

__all__ = [
    "Adoption",
    "Deployment",
    "Development",
    "Difference",
    "Finding",
    "Loss",
    "Rehearsal",
    "Reset",
    "Resolution",
    "RevisionStatus",
    "Rollback",
    "RollbackPlan",
    "Script",
    "Status",
    "Track",
    "TrackStatus",
    "adopt_prisma",
    "deploy",
    "develop",
    "find_drift",
    "host_track",
    "lint",
    "new_revision",
    "pending_sql",
    "plan_rollback",
    "range_sql",
    "rehearse_rollback",
    "reset",
    "resolve_applied",
    "resolve_rolled_back",
    "rollback",
    "scaffold",
    "status",
]
