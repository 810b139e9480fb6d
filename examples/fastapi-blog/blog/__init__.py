"""A blog whose authors sign in by mail."""
