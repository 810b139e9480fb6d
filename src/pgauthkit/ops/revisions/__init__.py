"""What is known of revisions, in files and in the database; nothing here changes a schema."""
