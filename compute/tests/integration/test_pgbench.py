"""A client nobody here wrote drives the source at full speed; afterwards `rosetta verify` finds no difference.

`ROSETTA_PGBENCH_SECONDS` says how long the load lasts, `ROSETTA_KILLS` how often a process is killed under it. The
long run is: ROSETTA_PGBENCH_SECONDS=60 ROSETTA_KILLS=20 make test ARGS=compute/tests/integration/test_pgbench.py
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually, process_exists

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = int(os.environ.get("ROSETTA_PGBENCH_SECONDS", "20"))
KILLS = int(os.environ.get("ROSETTA_KILLS", "5"))
REPORT = Path(__file__).parents[3] / ".reports" / "kills.json"
# Beside pgbench's own script: rows that come, change their key and go, in tables with and without a key.
MIXED_SCRIPT = r"""
\set aid random(1, 100000 * :scale)
\set delta random(-5000, 5000)
BEGIN;
DELETE FROM pgbench_accounts WHERE aid = :aid;
INSERT INTO pgbench_accounts (aid, bid, abalance, filler) VALUES (:aid, 1, :delta, 'again') ON CONFLICT DO NOTHING;
UPDATE pgbench_accounts SET aid = -aid WHERE aid = (:aid + 1)
  AND NOT EXISTS (SELECT FROM pgbench_accounts WHERE aid = -(:aid + 1));
DELETE FROM pgbench_history WHERE ctid = (SELECT ctid FROM pgbench_history LIMIT 1 FOR UPDATE SKIP LOCKED);
END;
"""


@pytest.fixture
def pgbench(stage: Stage, tmp_path: Path) -> list[str]:
    """pgbench's tables in the source; the answer is the command that drives them for `SECONDS`."""
    del stage.service.environment["PYDBZ_JVM_OPTS"]  # full speed is to be that of people
    binary = str(stage.cluster.bin() / "pgbench")
    dsn = stage.cluster.dsn(stage.source_database)
    subprocess.run([binary, "-i", "-s", "2", "-q", dsn], check=True, capture_output=True)
    stage.source("ALTER TABLE pgbench_history REPLICA IDENTITY FULL")
    script = tmp_path / "mixed.sql"
    script.write_text(MIXED_SCRIPT, encoding="utf-8")
    weighted = ["-b", "tpcb-like@9", "-f", f"{script}@1"]
    return [binary, "-T", str(SECONDS), "-c", "4", "-j", "2", "-n", *weighted, dsn]


def verify(stage: Stage) -> dict[str, Any]:
    """`rosetta verify --json` against the config database, as a person would call it."""
    environment = {
        "PATH": os.environ["PATH"],
        "CONFIG_DATABASE_URL": stage.config.url,
        "SECRET_KEY": "a secret key for tests",
    }
    command = [str(Path(sys.executable).with_name("rosetta")), "verify", "--json", "--deadline-seconds", "120"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in {0, 1}, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report | {"exit_code": done.returncode}


def assert_equal(stage: Stage) -> None:
    copying = "SELECT count(*) FROM table_syncs WHERE state <> 'STREAMING'"
    eventually(lambda: stage.config.one(copying) == 0, 180, "every first copy is complete")
    verify(stage)  # waits for what is in flight; the counts of the one below are final
    report = verify(stage)
    tables = {table["source"]: table for table in report["pipelines"][0]["destinations"][0]["tables"]}
    named = {f"public.pgbench_{name}" for name in ("accounts", "branches", "history", "tellers")}
    assert set(tables) == named
    found = {name: (table["outcome"], len(table["differences"])) for name, table in tables.items()}
    assert found == dict.fromkeys(named, ("EQUAL", 0))
    assert report["exit_code"] == 0
    assert tables["public.pgbench_history"]["source_rows"] > 1000
    assert all(table["source_rows"] == table["target_rows"] for table in tables.values())


def test_pgbench_at_full_speed_leaves_no_difference(stage: Stage, pgbench: list[str]) -> None:
    pipeline = stage.start_pipeline()
    stage.service.start()
    stage.service.streaming_pid(pipeline)  # the first copy of the tables runs beside the load

    done = subprocess.run(pgbench, capture_output=True, text=True, check=True)

    assert "number of failed transactions: 0" in done.stdout
    assert_equal(stage)


def test_killed_again_and_again_under_pgbench_nothing_is_lost(stage: Stage, pgbench: list[str]) -> None:
    """kill -9 of the pipeline's process at random moments, and once of the whole service, under load."""
    chance = random.Random(20261120)
    pipeline = stage.start_pipeline()
    stage.service.environment |= {"LEASE_SECONDS": "15", "POLL_SECONDS": "10"}  # as people run it
    stage.service.start()
    pid = stage.service.streaming_pid(pipeline)

    restarts_seconds: dict[str, list[float]] = {"process": [], "service": []}
    load = subprocess.Popen(
        [*pgbench[:2], "3600", *pgbench[3:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        for kill in range(KILLS + 1):
            with pytest.raises(subprocess.TimeoutExpired):  # the load must still be running
                load.wait(chance.uniform(0.0, 2.0))
            killed_at = time.monotonic()
            if kill == KILLS // 2:
                stage.service.kill()
                eventually(lambda orphan=pid: not process_exists(orphan), 40, "no orphan")  # type: ignore[misc]
                stage.service.start()
            else:
                os.kill(pid, signal.SIGKILL)
            pid = stage.service.streaming_pid(pipeline, other_than=pid)
            took = time.monotonic() - killed_at
            restarts_seconds["service" if kill == KILLS // 2 else "process"].append(round(took, 2))
    finally:
        load.terminate()
        load.communicate(timeout=30)

    assert_equal(stage)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({"streaming_again_s": restarts_seconds}), encoding="utf-8")
