"""F33: many parked records; ROSETTA_TEST_PARKED_RECORDS says how many (published figures are of 1,000,000)."""

from __future__ import annotations

import io
import json
import os
import resource
import time
from pathlib import Path

import pytest

from compute.core.lines import lines
from compute.dlq.keys import KeyHasher
from compute.dlq.records import payload_of
from compute.tests.contract.changes import changes
from compute.tests.support.desk import THINGS, Bench, row
from rosetta.dead_letters import seal_payload

RECORDS = int(os.environ.get("ROSETTA_TEST_PARKED_RECORDS", "20000"))
_FIRST_LSN = 1_000
_CHUNK = 20_000
_REPORT = Path(__file__).resolve().parents[4] / ".reports" / "parked.json"


def fill(bench: Bench) -> None:
    """As many open records as RECORDS, each of its own key, by COPY."""
    queue, hasher = bench.queue, KeyHasher(bench.queue.ledger.keyring)
    place = (queue.pipeline_id, queue.destination_id)
    for start in range(0, RECORDS, _CHUNK):
        text = io.StringIO()
        for number in range(start, min(RECORDS, start + _CHUNK)):
            made = changes(THINGS, [row(_FIRST_LSN + number, number)])
            sealed = seal_payload(payload_of(made), queue.ledger.keyring, *place)
            hashes = ",".join(f'"\\\\\\\\x{one.hex()}"' for one in hasher.hashes(THINGS, lines(made)))
            lsn = f"0/{_FIRST_LSN + number:X}"
            text.write(
                f"{queue.pipeline_id}\t{queue.source_id}\t{queue.destination_id}\t{queue.sync_id}\tpublic\tthings\tRECORD"
                f"\t{{{hashes}}}\t{lsn}\t{lsn}\t0\t\\\\x{sealed.hex()}\t{len(made.data)}\tDATA\tPG_23514\trefused\tnow\n"
            )
        text.seek(0)
        with queue.config.connection.cursor() as cursor:
            cursor.copy_expert(
                "COPY dlq_records (pipeline_id, source_id, destination_id, table_sync_id, schema_name, table_name,"
                " kind, key_hashes, commit_lsn, change_lsn, ordinal, payload, payload_bytes, error_class, error_code,"
                " error_message, next_attempt_at) FROM STDIN",
                text,
            )
    queue.config.run("ANALYZE dlq_records")


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_f33_many_parked_records_are_recovered_in_pages_and_bounded_memory(bench: Bench) -> None:
    figures: dict[str, float] = {"records": RECORDS}

    def measured(name: str, begun: float) -> None:
        figures[name] = round(time.monotonic() - begun, 3)

    bench.policy = type(bench.policy)(first_seconds=600.0, max_attempts=10, max_age_days=7, page_rows=100)
    bench.serve()
    fill(bench)
    before = peak_mb()
    bench.restart()
    begun = time.monotonic()
    bench.parking.load()
    measured("load_seconds", begun)
    assert bench.parking.record_count == RECORDS
    begun = time.monotonic()
    streams = bench.recovery._streams
    streams.receive()  # a long stream that differs is mended when it differs twice
    streams.receive()
    measured("streams_seconds", begun)
    assert bench.entries() == RECORDS
    begun = time.monotonic()
    bench.write(10**9, *(row(2 * 10**8 + number, 10**7 + number) for number in range(10_000)))
    measured("batch_of_10000_seconds", begun)
    begun = time.monotonic()
    bench.recover(steps=RECORDS)
    measured("recovery_seconds", begun)
    assert bench.open_rows() == 0
    assert bench.rows("SELECT count(*) FROM things") == [(RECORDS + 10_000,)]
    assert bench.entries() == 0
    assert bench.parking.record_count == 0
    figures["memory_mb"] = round(peak_mb() - before, 1)
    assert figures["memory_mb"] < 300
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.write_text(json.dumps(figures) + "\n")
