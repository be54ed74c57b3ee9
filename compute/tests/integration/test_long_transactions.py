"""Long and huge transactions at the source: what they hold back is said, memory stays bounded, nothing is lost.

`ROSETTA_HUGE_ROWS=1000000` for the huge transaction in full, `ROSETTA_HUGE_ENGINE=pgoutput` for the other engine.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest

from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
HUGE_ROWS = int(os.environ.get("ROSETTA_HUGE_ROWS", "150000"))
HUGE_ENGINE = EngineKind(os.environ.get("ROSETTA_HUGE_ENGINE", "debezium"))
# Of the small profile while a transaction that is larger than all its buffers comes by.
_MOST_MB = {EngineKind.DEBEZIUM: 400, EngineKind.PGOUTPUT: 200}


def test_f25_what_waits_for_an_open_transaction_says_so(stage: Stage) -> None:
    stage.source("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    pipeline = stage.start_pipeline()
    with closing(stage.cluster.connect(stage.source_database)) as held, held.cursor() as cursor:
        cursor.execute("BEGIN; INSERT INTO one VALUES (2)")
        stage.service.start()
        query = "SELECT status, last_error_code FROM pipeline_metadata"
        eventually(lambda: stage.config.row(query) == ("STARTING", "OPEN_TRANSACTIONS"), 60, "the slot waits")
        remedy = str(stage.config.one("SELECT last_error_remedy FROM pipeline_metadata"))
        with stage.session(stage.source_database).cursor() as by_hand:
            by_hand.execute(remedy.split(";", maxsplit=1)[0])
            assert held.info.backend_pid in {row[0] for row in by_hand.fetchall()}
        cursor.execute("COMMIT")
        stage.service.streaming_pid(pipeline)
        eventually(lambda: stage.same("one"), 60, "the row is there")
        eventually(lambda: stage.config.row(query) == ("RUNNING", None), 60, "it is forgotten")
        # and a copy that begins later waits for those that wrote to its table
        cursor.execute("BEGIN; INSERT INTO one VALUES (3)")
        stage.config.run("UPDATE table_syncs SET desired_state = 'RESYNC'")
        reason = "SELECT status_reason FROM queue_backfill_data ORDER BY id DESC LIMIT 1"
        eventually(lambda: "transactions that wrote" in (stage.config.one(reason) or ""), 60, "the copy waits")
        stage.source("INSERT INTO one VALUES (4)")
        with stage.session(stage.target_database).cursor() as target:
            eventually(lambda: (target.execute("SELECT FROM one WHERE id = 4"), target.rowcount)[1] == 1, 30)  # type: ignore[func-returns-value]
        cursor.execute("COMMIT")
    eventually(lambda: stage.config.one("SELECT state FROM table_syncs") == "STREAMING", 60, "it is complete")
    eventually(lambda: stage.same("one"), 60, "and equal")


def resident_mb(pid: int) -> float:
    """The most that a process ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def test_f26_a_huge_transaction_survives_a_crash_halfway(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.source("CREATE TABLE huge (id int PRIMARY KEY, body text); CREATE TABLE one (id int PRIMARY KEY)")
    pipeline = stage.start_pipeline()
    stage.config.run("UPDATE pipelines SET engine = %s", HUGE_ENGINE)
    del stage.service.environment["PYDBZ_JVM_OPTS"]  # the memory is to be what people will see
    stage.service.start()
    pid = stage.service.streaming_pid(pipeline)
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 60)
    stage.source(f"INSERT INTO huge SELECT n, repeat(md5(n::text), 3) FROM generate_series(1, {HUGE_ROWS}) n")
    rows = "SELECT count(*) FROM huge"
    with stage.session(stage.target_database).cursor() as cursor:

        def arrived() -> int:
            cursor.execute(rows)
            (row,) = cursor.fetchall()
            return int(row[0])

        eventually(lambda: arrived() >= HUGE_ROWS // 2, 300, "half of it is there")
        before = resident_mb(pid)
        os.kill(pid, signal.SIGKILL)
        pid = stage.service.streaming_pid(pipeline, other_than=pid)
        eventually(lambda: arrived() == HUGE_ROWS, 300, "all of it is there")
    stage.source("INSERT INTO one VALUES (1)")
    eventually(lambda: stage.same("one"), 60, "what came behind it, too")
    after = resident_mb(pid)
    assert stage.differences("huge") == (0, 0)
    with capsys.disabled():
        size = f"{HUGE_ROWS} rows in one transaction by {HUGE_ENGINE}"
        sys.stdout.write(f"\n{size}: {before:.0f} and {after:.0f} MB resident at most\n")
    assert max(before, after) < _MOST_MB[HUGE_ENGINE]
