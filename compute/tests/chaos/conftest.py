"""The servers of the fault matrix, started once for all of its tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from compute.tests.chaos import matrix
from compute.tests.chaos.servers import Servers, servers


@pytest.fixture(scope="session")
def chaos_servers() -> Iterator[Servers]:
    with servers() as made:
        yield made


@pytest.fixture
def withstands(chaos_servers: Servers) -> Callable[[str], None]:
    """Runs a fault of the matrix once, with few changes; fails with what it found."""
    faults = matrix.load()

    def run(name: str) -> None:
        case = matrix.run_case(chaos_servers, faults[name], seed=1, changes=4000)
        assert case.passed, "\n".join([case.failure or "", *case.verdict.notes])

    return run
