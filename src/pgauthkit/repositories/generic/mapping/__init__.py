"""What of SQLAlchemy's mapping a repository has to look after by itself."""
