"""The application around us: its settings and its models."""
