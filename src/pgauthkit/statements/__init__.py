"""One operation, one SQL statement: SQLAlchemy Core built from the models."""
