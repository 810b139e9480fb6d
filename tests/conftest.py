"""What all tests share: how hypothesis tries, and which tests a plugin may not add."""

import os

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    # pytest-alembic 0.13 binds tests of its own to this very file, which fails under pytest 9.2.
    config.option.pytest_alembic_tests_path = "none"
