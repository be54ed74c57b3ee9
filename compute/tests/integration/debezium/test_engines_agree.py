"""Two engines, one meaning: the same lines, ids and positions, so that a pipeline may go on with the other one."""

from __future__ import annotations

from contextlib import closing

import pytest

from compute.core.batch import ChangeBatch
from compute.tests.integration.debezium.conftest import Source, Stream, spec, wait_until
from compute.tests.integration.debezium.replica import Replica
from compute.tests.integration.debezium.test_debezium_fold import BIG, KEYS, TABLES
from compute.tests.support.side_load import SideLoad
from rosetta.enums import EngineKind
from rosetta.identifiers import TableId

pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("engine", [EngineKind.DEBEZIUM], indirect=True, ids=["both"]),
]

DEBEZIUM, PGOUTPUT = EngineKind.DEBEZIUM, EngineKind.PGOUTPUT
# Nothing is acknowledged in between, so all of a test's rows must fit into what may be outstanding.
WHOLE_LOAD = {"outstanding_bytes": 100_000_000}
SMALL_BATCHES = {"soft_bytes": 8_000, "hard_bytes": 16_000, "outstanding_bytes": 20_000_000, "batch_rows": 64}


def _write(source: Source) -> None:
    source.sql(TABLES)
    plain = [name for name, key in KEYS.items() if name != "two"]
    for name in plain:
        source.sql(
            f"INSERT INTO {name} SELECT g, E'tab\\t line\\n slash\\\\ ' || g, {BIG} FROM generate_series(1, 9) g"
        )
        source.sql(
            f"BEGIN; UPDATE {name} SET note = 'ä€😀' WHERE id < 4; UPDATE {name} SET note = NULL WHERE id = 2;"
            f"UPDATE {name} SET id = id + 100 WHERE id < 3; DELETE FROM {name} WHERE id = 9; COMMIT"
        )
        source.sql(f"COPY {name} (id, note) FROM PROGRAM 'seq 1000 1300 | sed s/$/,copied/' (FORMAT csv)")
    source.sql(f"INSERT INTO two SELECT g, E'k\"{{g}},\\\\', 'n', {BIG} FROM generate_series(1, 5) g")
    source.sql("UPDATE two SET b = b || 'x' WHERE a < 3")
    source.sql(
        "SELECT pg_logical_emit_message(true, 'rosetta', ''); SELECT pg_logical_emit_message(true, 'other', 'x')"
    )
    source.sql("BEGIN; INSERT INTO one VALUES (5000); TRUNCATE one, whole; INSERT INTO one VALUES (5001, 'z'); COMMIT")
    source.sql("TRUNCATE indexed; ALTER TABLE indexed ADD later int; INSERT INTO indexed VALUES (5, 'a', 'b', 7)")


def _lines(batches: list[ChangeBatch]) -> dict[TableId, list[bytes]]:
    found: dict[TableId, list[bytes]] = {}
    for batch in batches:
        for changes in batch.tables:
            found.setdefault(changes.table, []).extend(bytes(changes.data).splitlines(keepends=True))
    return found


def test_both_give_the_same_ids(source: Source) -> None:
    other = "slot_of_the_other"
    start = source.new_slot(other)
    _write(source)
    end = source.watermark()
    specs = [spec(name, *key, fold=False) for name, key in KEYS.items()]
    big = {"outstanding_bytes": 20_000_000}
    first = source.stream(*specs, engine=DEBEZIUM, memory=big)
    second = source.stream(*specs, engine=PGOUTPUT, slot=other, position=start, memory=big)
    theirs, ours = first.follow(end), second.follow(end)
    assert [batch.truncated for batch in ours if batch.truncated] == [
        batch.truncated for batch in theirs if batch.truncated
    ]
    ids_of = {table: [_id(line) for line in lines] for table, lines in _lines(theirs).items()}
    assert {table: [_id(line) for line in lines] for table, lines in _lines(ours).items()} == ids_of
    assert sum(map(len, ids_of.values())) > 1000
    assert second.replica.rows == first.replica.rows
    assert second.replica.bags == first.replica.bags
    assert ours[-1].end.commit_lsn == theirs[-1].end.commit_lsn


def _id(line: bytes) -> tuple[bytes, ...]:
    """LSN, ordinal, xid and time; whether the row is new and what it leaves out depends on where the batch began."""
    return tuple(line.split(b"\t", 5)[1:5])


@pytest.mark.parametrize("order", [(DEBEZIUM, PGOUTPUT), (PGOUTPUT, DEBEZIUM)], ids=lambda order: order[0].value)
def test_one_goes_on_where_the_other_was_cut(source: Source, order: tuple[EngineKind, EngineKind]) -> None:
    """Also inside a transaction, and with a second destination's position as a cut."""
    _write(source)
    end = source.watermark()
    specs = [spec(name, *key) for name, key in KEYS.items()]
    whole = source.stream(*specs, engine=order[0], memory=SMALL_BATCHES)
    batches = whole.follow(end, acknowledge=False)
    whole.stop()
    inside = [place for place, batch in enumerate(batches) if not batch.end.at_boundary]
    assert len(inside) > 5, "no batch ended inside a transaction"
    for place in inside[:: len(inside) // 4]:
        replica = Replica()
        for batch in batches[: place + 1]:
            replica.apply(batch)
        wait_until("the slot is free", lambda: not source.active())
        ahead = batches[min(place + 3, len(batches) - 1)].end
        again = source.stream(*specs, position=replica.batches[-1].end, engine=order[1], cuts=[ahead])
        again.replica = replica
        replica.batches = []
        again.follow(end, acknowledge=False)
        assert ahead in [batch.end for batch in replica.batches]
        assert replica.rows == whole.replica.rows
        assert {table: +bag for table, bag in replica.bags.items()} == {
            table: +bag for table, bag in whole.replica.bags.items()
        }
        again.stop()


class _Load(SideLoad):
    """Somebody who goes on writing: rows come, change, move and go."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def work(self, number: int) -> None:
        with closing(self._source.cluster.connect(self._source.database)) as session, session.cursor() as cursor:
            while not self.ended.is_set():
                number += 1
                cursor.execute("INSERT INTO bag VALUES (%s, 'load', repeat('x', 3000))", (number,))
                cursor.execute("UPDATE bag SET note = 'later' WHERE id = %s", (number - 7,))
                cursor.execute("INSERT INTO one VALUES (%s, 'load', repeat('y', 3000))", (number,))
                cursor.execute("UPDATE one SET id = -id WHERE id = %s", (number - 5,))
                cursor.execute("DELETE FROM one WHERE id = %s", (20 - 3 * number,))


def test_switching_five_times_under_load_loses_nothing(source: Source) -> None:
    source.sql(TABLES)
    specs = [spec("one", "id"), spec("bag")]
    replica = Replica()
    stream: Stream | None = None
    position = source.start
    with _Load(source):
        for turn in range(6):
            engine = (DEBEZIUM, PGOUTPUT)[turn % 2]
            stream = source.stream(*specs, position=position, engine=engine, memory=WHOLE_LOAD)
            stream.replica, replica.batches = replica, []
            stream.follow(source.watermark())
            stream.follow(source.watermark(), acknowledge=False)
            position = replica.batches[-1].end
            if turn < 5:
                stream.stop()
                wait_until("the slot is free", lambda: not source.active())
    assert stream is not None
    stream.follow(source.watermark())
    rows = source.sql("SELECT id::text, note, big FROM one")
    assert len(rows) > 20
    assert replica.rows[TableId("public", "one")] == {(row[0],): row for row in rows}
    assert sorted((+replica.bags[TableId("public", "bag")]).elements()) == sorted(
        source.sql("SELECT id::text, note, big FROM bag")
    )
