"""Everything that `pgauthkit backup` does, in one place."""

from pgauthkit.ops.dump.backup import Backup, backup
from pgauthkit.ops.dump.schedule import crontab_line

__all__ = ["Backup", "backup", "crontab_line"]
