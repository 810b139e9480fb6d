"""Everything that `pgauthkit erd` does, in one place."""

from pgauthkit.ops.project.erd import diagram
from pgauthkit.ops.project.mapped import mapped_classes

__all__ = ["diagram", "mapped_classes"]
