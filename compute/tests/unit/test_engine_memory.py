"""The counts of rows that a person chooses reach Debezium, also on a heap that had to grow."""

from __future__ import annotations

import pytest

from compute.engine.base import EngineSource
from compute.engine.debezium.jvm import MEMORY
from compute.engine.debezium.properties import connector_properties
from rosetta.enums import Profile
from rosetta.lsn import Lsn
from rosetta.postgres import PostgresEndpoint

SOURCE = EngineSource(PostgresEndpoint("db", 5432, "d", "u", "p", "disable"), "pub", "slot")


@pytest.mark.parametrize(
    ("batch_rows", "queue_rows", "expected"),
    [
        (None, None, ("2048", "4096")),
        (100, None, ("100", "200")),
        (None, 9000, ("2048", "9000")),
        (500, 10, ("500", "501")),
    ],
)
def test_limits_reach_debezium(batch_rows: int | None, queue_rows: int | None, expected: tuple[str, str]) -> None:
    memory = MEMORY[Profile.SMALL].limited(batch_rows, queue_rows)
    properties = connector_properties(SOURCE, Lsn(1), "server", memory)
    assert (properties["max.batch.size"], properties["max.queue.size"]) == expected


def test_a_larger_heap_takes_smaller_batches() -> None:
    memory, scaled = MEMORY[Profile.FAST], MEMORY[Profile.FAST].scaled(4)
    assert scaled.heap_bytes == 4 * memory.heap_bytes
    assert (scaled.batch_rows, scaled.queue_rows) == (memory.batch_rows // 4, memory.queue_rows // 4)
