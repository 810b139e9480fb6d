"""Everything that `pgauthkit migrate` does, in one place: each command's function, and the value that it returns."""

from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.autogenerate.hazards import Hazard
from pgauthkit.ops.migrate.autogenerate.renames import Rename
from pgauthkit.ops.migrate.deployment import Deployment, deploy
from pgauthkit.ops.migrate.development import Development, develop
from pgauthkit.ops.migrate.drift import Difference, find_drift
from pgauthkit.ops.migrate.prisma import Adoption, AdoptionPlan, adopt_prisma, plan_adoption
from pgauthkit.ops.migrate.rehearsal import Rehearsal, rehearse_rollback
from pgauthkit.ops.migrate.reset import Reset, reset
from pgauthkit.ops.migrate.resolution import Resolution, resolve_applied, resolve_rolled_back
from pgauthkit.ops.migrate.review import Finding, Script, lint, pending_sql, range_sql
from pgauthkit.ops.migrate.rollback import Loss, Rollback, RollbackPlan, plan_rollback, rollback
from pgauthkit.ops.migrate.scaffold import scaffold
from pgauthkit.ops.revisions.diagnosis import RevisionStatus, Status, TrackStatus, status
from pgauthkit.ops.revisions.tracks import Track, host_track

__all__ = [
    "Adoption",
    "AdoptionPlan",
    "Deployment",
    "Development",
    "Difference",
    "Finding",
    "Hazard",
    "Loss",
    "Rehearsal",
    "Rename",
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
    "plan_adoption",
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
