"""Which replica may be asked, and how old its answers may be."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from pgauthkit import AuthService, ReplicaReads
from pgauthkit.database import create_engine
from pgauthkit.errors import ConfigError

URL = "postgresql+psycopg://app@127.0.0.1:1/app"


def test_a_second_by_default() -> None:
    """Answers may be a second old, of an engine of either kind."""
    assert ReplicaReads(create_engine(URL)).max_staleness == timedelta(seconds=1)
    assert ReplicaReads(create_async_engine(URL), timedelta(hours=1)).max_staleness == timedelta(hours=1)


@pytest.mark.parametrize("bound", [timedelta(milliseconds=9), timedelta(hours=1, microseconds=1), 1, None])
def test_out_of_range(bound: Any) -> None:  # noqa: ANN401 - whatever a host may give
    """Another bound is refused, and another engine with it."""
    engine: Any = URL
    with pytest.raises(ConfigError) as caught:
        ReplicaReads(engine, bound)
    assert len(caught.value.problems) == 2


def test_of_the_other_kind() -> None:
    """The engine is of the kind that the service takes."""
    with pytest.raises(ConfigError, match="AsyncAuthService an AsyncEngine"):
        AuthService(create_engine(URL), replica=ReplicaReads(create_async_engine(URL)))
