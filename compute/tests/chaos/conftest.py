"""The servers of the fault matrix, started once for all of its tests, and the pipelines that its cases share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from compute.tests.chaos import matrix
from compute.tests.chaos.servers import Servers, servers
from rosetta.enums import EngineKind

CHANGES = int(os.environ.get("ROSETTA_CHAOS_CHANGES", "4000"))  # of each case; `make chaos` has 100,000
Withstands = Callable[[str, EngineKind], None]


@pytest.fixture(scope="session")
def chaos_servers() -> Iterator[Servers]:
    with servers() as made:
        yield made


@pytest.fixture(scope="module")
def stacks(chaos_servers: Servers) -> Iterator[dict[EngineKind, matrix.Stack]]:
    made = {engine: matrix.Stack(chaos_servers, engine, most_changes=10**9) for engine in matrix.ENGINES}
    yield made
    for case in [stack.close() for stack in made.values()]:
        assert case is None or case.passed, _what(case)


@pytest.fixture
def withstands(stacks: dict[EngineKind, matrix.Stack]) -> Withstands:
    """Runs a fault of the matrix once, with few changes; fails with what it found."""
    faults = matrix.load()

    def run(name: str, engine: EngineKind) -> None:
        for other, stack in stacks.items():
            if other is not engine:
                stack.close()  # two at rest beside the one that works would only cost time
        case = stacks[engine].run(faults[name], 1, CHANGES)
        assert case.passed, _what(case)

    return run


def _what(case: matrix.Case) -> str:
    return "\n".join([case.failure or "", *case.verdict.notes])
