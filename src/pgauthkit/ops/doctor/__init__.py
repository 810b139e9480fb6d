"""What is wrong with a set-up, and what to do: a module for each kind of check."""

from pgauthkit.ops.doctor.examination import examine
from pgauthkit.ops.doctor.finding import Check, Finding, Level, Report, SetUp

__all__ = ["Check", "Finding", "Level", "Report", "SetUp", "examine"]
