"""The ledger and its streams: nothing twice, nothing lost, nothing by a former owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import redis

from compute.dlq.dispatcher import GROUP
from compute.dlq.records import TRUNCATE_PAYLOAD, Entry, Parked, changes_of, payload_of
from compute.tests.contract.changes import Change, changes, schema
from compute.tests.support.parked import Queue
from rosetta.enums import DlqKind, DlqOperation, DlqState, ErrorClass
from rosetta.errors import FencedError, OutageError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

THINGS = schema()
TABLE = TableId("public", "things")


def segment(queue: Queue, end: int, *, part: int = 0, body: str = "b", rows: int = 1) -> Entry:
    items = [Change("c", end - rows + number, (str(number), "n", body)) for number in range(rows)]
    return Entry(
        queue.destination_id,
        queue.sync_id,
        TABLE,
        DlqKind.SEGMENT,
        ErrorClass.OUTAGE,
        StreamPosition(Lsn(end)),
        payload_of(changes(THINGS, items)),
        "OUTAGE",
        "the destination is away",
        part=part,
        commit_time=1_700_000_000.25,
    )


def ids(rows: Sequence[Parked]) -> list[int]:
    return [row.row_id for row in rows]


def test_what_was_parked_comes_back_in_order_and_bit_by_bit(queue: Queue) -> None:
    truncate = replace(segment(queue, 30), payload=TRUNCATE_PAYLOAD, operation=DlqOperation.TRUNCATE)
    late = segment(queue, 30, part=1, body="x\ty\\\n" * 500)
    wanted = [segment(queue, 9), segment(queue, 20, rows=3), truncate, late]  # 0/9 sorts behind 0/14 as text
    queue.ledger.park(list(reversed(wanted)), {queue.destination_id: StreamPosition(Lsn(30))})
    rows = queue.ledger.segments(queue.destination_id, 1_000_000)
    assert [(row.position, row.part, row.payload) for row in rows] == [
        (entry.position, entry.part, entry.payload) for entry in wanted
    ]
    assert rows[1].changes() == changes_of(wanted[1].payload, TABLE)
    assert rows[0].commit_time == 1_700_000_000.25
    assert rows[2].payload.truncate
    stored = bytes(queue.config.one("SELECT payload FROM dlq_records WHERE row_count = 3"))
    assert wanted[1].payload.data[:20] not in stored


def test_a_page_is_bounded_by_bytes_and_never_empty(queue: Queue) -> None:
    queue.ledger.park([segment(queue, end, body="b" * 1000) for end in (10, 20, 30)])
    assert len(queue.ledger.segments(queue.destination_id, 1)) == 1
    assert len(queue.ledger.segments(queue.destination_id, 1_500)) == 2
    assert len(queue.ledger.segments(queue.destination_id, 1_000_000, max_rows=2)) == 2


def test_parking_again_parks_nothing_twice_and_names_the_same_rows(queue: Queue) -> None:
    entries = [segment(queue, 10), segment(queue, 20)]
    first = queue.ledger.park(entries)
    again = queue.ledger.park([*entries, segment(queue, 30)])
    assert ids(again)[:2] == ids(first)
    assert queue.ledger.sums(queue.destination_id).rows == 3


def test_how_far_the_stream_is_parked_never_goes_back(queue: Queue) -> None:
    for commit, change in ((10, 0), (20, 5), (20, 3), (9, 9)):
        queue.ledger.park([], {queue.destination_id: StreamPosition(Lsn(commit), Lsn(change), 1)})
    parked = "SELECT parked_commit_lsn::text, parked_change_lsn::text, parked_ordinal FROM pipeline_destinations"
    assert queue.config.row(parked) == ("0/14", "0/5", 1)


def test_a_former_owner_neither_parks_nor_marks(queue: Queue) -> None:
    rows = queue.ledger.park([segment(queue, 10)])
    queue.new_owner()
    with pytest.raises(FencedError):
        queue.ledger.park([segment(queue, 20)])
    with pytest.raises(FencedError):
        queue.ledger.close(ids(rows), DlqState.RECOVERED)
    with pytest.raises(FencedError):
        list(queue.ledger.supersede([queue.sync_id]))
    assert queue.ledger.sums(queue.destination_id).rows == 1


def test_what_is_closed_keeps_no_payload_and_may_be_parked_anew(queue: Queue) -> None:
    rows = queue.ledger.park([segment(queue, 10), segment(queue, 20)])
    assert queue.ledger.close(ids(rows)[:1], DlqState.RECOVERED) == set(ids(rows)[:1])
    assert queue.ledger.close(ids(rows)[:1], DlqState.RECOVERED) == set()
    assert queue.config.one("SELECT length(payload) FROM dlq_records WHERE state = 'RECOVERED'") == 0
    assert len(queue.ledger.park([segment(queue, 10)])) == 1
    pages = list(queue.ledger.supersede([queue.sync_id]))
    assert len(pages) == 1
    assert len(pages[0]) == 2
    assert queue.ledger.segments(queue.destination_id, 1_000) == []


def test_a_stream_has_one_entry_per_row_whatever_the_order_and_however_often(queue: Queue) -> None:
    rows = queue.ledger.park([segment(queue, end) for end in range(10, 20)])
    dispatcher = queue.dispatcher
    dispatcher.announce(rows[5:])
    dispatcher.announce(rows[:7])  # two of them again, five late
    dispatcher.announce(reversed(rows))
    assert dispatcher.length(queue.destination_id, TABLE) == 10
    listed = [row for page in dispatcher.pages(queue.destination_id, TABLE) for row in page]
    assert sorted(ids(listed)) == ids(rows)
    assert dispatcher.receive(queue.destination_id, TABLE) == 10
    assert dispatcher.receive(queue.destination_id, TABLE) == 0
    key = dispatcher.key(queue.destination_id, TABLE)
    assert key == f"test:dlq:{queue.source_id}:public.things:{queue.destination_id}"
    with queue.valkey.client() as client:
        assert client.xpending(key, GROUP)["pending"] == 10
        dispatcher.forget(rows[:8])
        dispatcher.forget(rows[:8])
        assert client.xpending(key, GROUP)["pending"] == 2
        assert client.hlen(f"{key}:late") == 0
    assert dispatcher.length(queue.destination_id, TABLE) == 2


def test_a_stream_that_was_lost_is_announced_anew(queue: Queue) -> None:
    rows = queue.ledger.park([segment(queue, 10), segment(queue, 20)])
    queue.dispatcher.announce(rows)
    queue.valkey.flush()
    assert queue.dispatcher.receive(queue.destination_id, TABLE) == 0
    assert queue.dispatcher.length(queue.destination_id, TABLE) == 0
    queue.dispatcher.announce(rows)
    assert queue.dispatcher.receive(queue.destination_id, TABLE) == 2


def test_a_dump_of_redis_or_of_the_ledger_shows_no_row_value(queue: Queue) -> None:
    canary = "canary-parked-7e2b"
    queue.dispatcher.announce(queue.ledger.park([segment(queue, end, body=canary, rows=3) for end in (10, 20)]))
    with redis.Redis.from_url(queue.valkey.url) as client:
        dumps = {key: client.dump(key) or b"" for key in client.scan_iter("*")}
    assert any(key.startswith(b"test:dlq:") for key in dumps)
    assert [key for key, dump in dumps.items() if canary.encode() in key + dump] == []
    stored = queue.config.one("SELECT string_agg(r::text, '') FROM dlq_records r")
    assert canary not in stored
    assert canary.encode().hex() not in stored
    assert queue.config.one("SELECT count(*) FROM dlq_records WHERE payload_bytes > 0") == 2


def test_redis_away_is_an_outage_and_over_when_it_is_back(queue: Queue) -> None:
    rows = queue.ledger.park([segment(queue, 10)])
    queue.valkey.kill()
    with pytest.raises(OutageError) as raised:
        queue.dispatcher.announce(rows)
    assert raised.value.code == "DLQ_DISPATCH_AWAY"
    queue.valkey.start()
    queue.dispatcher.announce(rows)
    assert queue.dispatcher.length(queue.destination_id, TABLE) == 1
