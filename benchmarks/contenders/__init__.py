"""Who takes part: pgauthkit, and below it the driver, and below that the server. Each runs in a process of its own."""
