"""What carries rows out of a database and into one: backup, restore, and what a dump is."""
