"""What a process has in memory of sessions, and what says that it counts no longer."""
