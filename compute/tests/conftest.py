"""What several lanes share beside PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compute.tests.support.snowflake_double import SnowflakeDouble


@pytest.fixture(scope="session")
def snowflake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeDouble]:
    """One emulated account for the session; tests take databases of it."""
    double = SnowflakeDouble(tmp_path_factory.mktemp("snowflake"))
    double.start()
    yield double
    double.stop()
