"""What the driver has of a statement: the rows that it could read, and those that it could not."""
