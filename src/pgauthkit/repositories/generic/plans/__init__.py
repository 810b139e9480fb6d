"""What a repository does on an engine, where each call is a transaction of its own."""
