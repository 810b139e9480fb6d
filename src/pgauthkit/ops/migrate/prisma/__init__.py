"""Taking over the users of a database that a Prisma schema has made, whatever its table and columns are called."""

from pgauthkit.ops.migrate.prisma.adoption import adopt_prisma
from pgauthkit.ops.migrate.prisma.outcome import Adoption, Merged, Refused
from pgauthkit.ops.migrate.prisma.plan import AdoptionPlan, plan_adoption

__all__ = ["Adoption", "AdoptionPlan", "Merged", "Refused", "adopt_prisma", "plan_adoption"]
