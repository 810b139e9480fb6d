"""Who else takes part: other libraries, through the same work, each with the tables and the habits it ships with."""
