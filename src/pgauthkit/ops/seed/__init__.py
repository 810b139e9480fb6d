"""Running the application's seed: one transaction around one function, which may be run again."""

from pgauthkit.ops.seed.run import Seeding, seed

__all__ = ["Seeding", "seed"]
