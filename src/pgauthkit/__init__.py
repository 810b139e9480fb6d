"""Passwordless sign-in, typed repositories and safe migrations for applications on PostgreSQL."""
