"""The server under us: connections to it, its locks, what is in a database, what its errors say."""
