"""Reads on a replica: which of its answers count, and what is done for that beside the calls."""
