"""Destinations that stopped at different positions: after a restart a batch ends at each of them."""

from __future__ import annotations

import pytest

from compute.core.batch import ChangeBatch
from compute.tests.integration.debezium.conftest import Source, Stream, spec, wait_until
from compute.tests.integration.debezium.replica import Replica
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition

pytestmark = pytest.mark.integration

LOG = TableId("public", "log")
# Nothing is acknowledged in between, so all of a test's rows must fit into what may be outstanding.
SMALL_BATCHES = {"soft_bytes": 4_000, "hard_bytes": 8_000, "outstanding_bytes": 4_000_000, "batch_rows": 64}
SPECS = (spec("log"), spec("doc", "id"))


def _write(source: Source) -> None:
    """Small transactions around a large one, on a table without a key and on one whose keys move with their TOAST."""
    source.sql("CREATE TABLE log (v text); ALTER TABLE log REPLICA IDENTITY FULL")
    source.sql("CREATE TABLE doc (id int PRIMARY KEY, big text, n int)")
    source.sql("ALTER TABLE doc ALTER big SET STORAGE EXTERNAL")
    source.sql("INSERT INTO doc SELECT g, repeat(md5(g::text), 100), 0 FROM generate_series(1, 20) g")
    for step in range(40):
        source.sql("INSERT INTO log VALUES ('same'), ('same'), (%s)", f"small {step}")
        source.sql("UPDATE doc SET id = id + 100, n = n + 1 WHERE id = %s", 1 + step % 20 + 100 * (step // 20))
    source.sql("INSERT INTO log SELECT 'big ' || g / 2 FROM generate_series(1, 2000) g; UPDATE doc SET id = id + 1000")
    source.sql("UPDATE log SET v = 'late' WHERE v LIKE 'small 3%%'")
    source.sql("UPDATE doc SET id = id - 1000, n = n + 1; DELETE FROM log WHERE v = 'big 7'")


def _replay(batches: list[ChangeBatch], until: StreamPosition) -> Replica:
    replica = Replica()
    for batch in batches:
        if batch.end <= until:
            replica.apply(batch)
    return replica


def _go_on(stream: Stream, before: Replica, held: StreamPosition) -> Replica:
    """What a destination that holds everything up to `held` becomes: batches up to there are none of its business."""
    replica = Replica(rows=before.rows, bags=before.bags, versions=before.versions)
    for batch in stream.replica.batches:
        assert batch.end <= held or batch.start >= held, "a batch spans a destination's position"
        if batch.start >= held:
            replica.apply(batch)
    return replica


def test_no_batch_spans_the_position_of_a_destination(source: Source) -> None:
    _write(source)
    end = source.watermark()
    first = source.stream(*SPECS, memory=SMALL_BATCHES)
    batches = first.follow(end, acknowledge=False)
    first.stop()
    ends = [batch.end for batch in batches]
    between = [position for position in ends if position.at_boundary]
    inside = [position for position in ends if not position.at_boundary]
    assert len(between) > 3, "no batch ended between two transactions"
    assert len(inside) > 3, "no batch ended inside a transaction"
    held = [between[1], between[len(between) // 2], inside[0], inside[len(inside) // 2], inside[-1], between[-1]]
    wait_until("the slot is free", lambda: not source.active())
    again = source.stream(*SPECS, cuts=[*reversed(held), source.start, held[0]])
    taken = again.follow(end, acknowledge=False)
    assert len(taken) < len(batches), "the second stream was to make larger batches"
    assert {batch.end for batch in taken} >= set(held)
    for position in held:
        replica = _go_on(again, _replay(batches, position), position)
        assert replica.rows == first.replica.rows
        assert +replica.bags[LOG] == +first.replica.bags[LOG]


def test_a_quiet_stream_ends_an_empty_batch_at_a_cut(source: Source) -> None:
    """Where nothing of ours happened before the cut there is still a batch that ends there."""
    source.sql("CREATE TABLE log (v text); ALTER TABLE log REPLICA IDENTITY FULL")
    first = source.stream(*SPECS)
    cut = first.follow(source.watermark(), acknowledge=False)[-1].end
    first.stop()
    source.sql("INSERT INTO log VALUES ('behind')")
    end = source.watermark()
    wait_until("the slot is free", lambda: not source.active())
    again = source.stream(*SPECS, cuts=[cut])
    batches = again.follow(end)
    assert cut in [batch.end for batch in batches]
    assert again.replica.bags[LOG].total() == 1
