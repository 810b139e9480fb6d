"""What all tests share: how hypothesis tries, how long torture lasts, which tests a plugin may not add, and Ctrl-C."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.tracing import let_threads_end

# A commit is tried with the same examples each time, so that what has passed passes, and covers as much; with others by
# `--hypothesis-profile=fuzz`. A busy machine, which makes them slowly, is no failure.
IN_ITS_TIME = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", IN_ITS_TIME, derandomize=True)
settings.register_profile("fuzz", IN_ITS_TIME, max_examples=10_000)
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


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C ends what is under way, and programs that are started; in the background tests run without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
