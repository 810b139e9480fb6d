"""What is done to the operations that Alembic has found, before they are written: order, schemas, renames, warnings."""
