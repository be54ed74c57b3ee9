"""Large transactions that come before their commit: the same batches, whatever is given up, and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2.extensions
import pytest

from compute.core.batch import ChangeBatch
from compute.tests.integration.debezium.conftest import Source, pgoutput_only, spec, wait_until
from compute.tests.integration.debezium.replica import Replica

pytestmark = [pytest.mark.integration, pgoutput_only]

ROWS = "INSERT INTO one SELECT n, repeat(md5(n::text), 3) FROM generate_series({}, {}) n"
BIG = {"outstanding_bytes": 100_000_000}
SMALL = {"soft_bytes": 8_000, "hard_bytes": 16_000, "outstanding_bytes": 100_000_000}


@pytest.fixture
def writer(source: Source) -> Iterator[psycopg2.extensions.cursor]:
    """A session beside the source's own; what is decoded for it is sent from 64 kB on."""
    source.sql(f"ALTER DATABASE {source.database} SET logical_decoding_work_mem = '64kB'")
    source.sql("CREATE TABLE one (id int PRIMARY KEY, v text); CREATE TABLE two (id int PRIMARY KEY, v text)")
    with closing(source.cluster.connect(source.database)) as session, session.cursor() as cursor:
        yield cursor


def _pieces(source: Source) -> int:
    """How often the source has sent a part of a transaction in progress, over all that ever read the slot."""
    rows = source.sql("SELECT stream_count FROM pg_stat_replication_slots WHERE slot_name = %s", source.slot)
    return int(rows[0][0]) if rows else 0


def _ids(batches: list[ChangeBatch]) -> list[tuple[object, ...]]:
    """Of every change LSN, ordinal, transaction and time, and what was emptied."""
    found: list[tuple[object, ...]] = []
    for batch in batches:
        found += [("emptied", table) for table in batch.truncated]
        for changes in batch.tables:
            lines = bytes(changes.data).splitlines()
            found += [(changes.table, *line.split(b"\t", 5)[1:5], line.split(b"\t")[7:]) for line in lines]
    return found


def test_the_same_comes_of_a_transaction_in_progress_and_of_a_whole_one(
    source: Source, writer: psycopg2.extensions.cursor
) -> None:
    whole_slot = f"whole_{source.database}"
    start = source.new_slot(whole_slot)
    specs = [spec("one", "id", fold=False), spec("two", "id", fold=False)]
    stream = source.stream(*specs, memory=BIG, in_progress=True)
    writer.execute("BEGIN; " + ROWS.format(1, 1000))
    wait_until("its beginning was sent", lambda: _pieces(source) > 0)
    source.sql("INSERT INTO two VALUES (1, 'small, and committed before')")
    taken = stream.follow(source.watermark())
    assert [changes.table.name for batch in taken for changes in batch.tables] == ["two"]
    sent = _pieces(source)
    writer.execute("SAVEPOINT given_up; UPDATE one SET v = 'given up'; SAVEPOINT inner_one; " + ROWS.format(5001, 5500))
    writer.execute("RELEASE inner_one; ALTER TABLE two ADD given_up int; INSERT INTO two VALUES (9, 'x', 9)")
    wait_until("the part that is given up was sent", lambda: _pieces(source) > sent)
    sent = _pieces(source)
    writer.execute("ROLLBACK TO given_up; SAVEPOINT kept; UPDATE one SET v = 'kept' WHERE id <= 900; RELEASE kept")
    writer.execute("SELECT pg_logical_emit_message(true, 'rosetta', 'within')")
    writer.execute("UPDATE one SET id = -id WHERE id < 10; DELETE FROM one WHERE id = 999; TRUNCATE two")
    writer.execute("ALTER TABLE two ADD later int; INSERT INTO two VALUES (2, 'after', 3); " + ROWS.format(2001, 2500))
    wait_until("more of it was sent", lambda: _pieces(source) > sent)
    with closing(source.cluster.connect(source.database)) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; " + ROWS.format(9001, 9900))
        sent = _pieces(source)
        wait_until("another one was sent, too", lambda: _pieces(source) > sent)
        writer.execute("COMMIT")
        cursor.execute("ROLLBACK")
    end = source.watermark()
    taken += stream.follow(end)
    whole = source.stream(*specs, slot=whole_slot, position=start, memory=BIG)
    expected = whole.follow(end)
    assert _ids(taken) == _ids(expected)
    assert stream.replica.rows == whole.replica.rows
    assert "within" in [mark for batch in taken for mark in batch.watermarks]
    assert (taken[-1].end, sum(batch.row_count for batch in taken) > 2000) == (expected[-1].end, True)


def test_a_restart_in_the_middle_repeats_and_loses_nothing(source: Source, writer: psycopg2.extensions.cursor) -> None:
    """While it is in progress, and while it is read again."""
    one = spec("one", "id")
    first = source.stream(one, memory=SMALL, in_progress=True)
    writer.execute("BEGIN; " + ROWS.format(1, 1500))
    wait_until("its beginning was sent", lambda: _pieces(source) > 0)
    first.stop()
    sent = _pieces(source)
    second = source.stream(one, memory=SMALL, in_progress=True)
    wait_until("it was sent again", lambda: _pieces(source) > sent)
    writer.execute("UPDATE one SET v = 'later' WHERE id % 3 = 0; COMMIT")
    batches: list[ChangeBatch] = []
    while not batches or batches[-1].end.at_boundary or len(batches) < 9:
        batches.append(second.follow_one())
    second.stop()
    ahead = batches[6].end
    for in_progress in (True, False):  # either goes on where this one was cut, also for a destination that is behind
        replica = Replica()
        for batch in batches[:4]:
            replica.apply(batch)
        wait_until("the slot is free", lambda: not source.active())
        again = source.stream(one, position=batches[3].end, memory=SMALL, cuts=[ahead], in_progress=in_progress)
        again.replica, replica.batches = replica, []
        taken = again.follow(source.watermark(), acknowledge=False)
        assert ahead in [batch.end for batch in taken]
        assert _rows(replica) == set(source.sql("SELECT id::text, v FROM one"))
        again.stop()


def _rows(replica: Replica) -> set[tuple[object, ...]]:
    (table,) = replica.rows.values()
    return set(table.values())
