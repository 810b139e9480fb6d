"""What all tests share: how hypothesis tries, how long torture lasts, and which tests a plugin may not add."""

import os

import pytest
from hypothesis import settings
from tests.tracing import let_threads_end

settings.register_profile("default", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.register_profile("fuzz", deadline=None, max_examples=10_000)
settings.load_profile("default")
let_threads_end()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="as many rounds of the torture tests as their names say")


def pytest_configure(config: pytest.Config) -> None:
    # pytest-alembic 0.13 binds tests of its own to this very file, which fails under pytest 9.2.
    config.option.pytest_alembic_tests_path = "none"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test marked `torture(few, many)` that takes `torture_round`: many times with `--torture`, else few."""
    marker = metafunc.definition.get_closest_marker("torture")
    if marker is not None:
        few, many = marker.args
        metafunc.parametrize("torture_round", range(many if metafunc.config.getoption("--torture") else few))
