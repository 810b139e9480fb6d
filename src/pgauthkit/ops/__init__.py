"""What the command line does, as typed functions: the command only parses, calls and prints."""
