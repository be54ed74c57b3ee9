"""The dead-letter queue of a running pipeline: real service, engine and servers, and plain SQL as a person types it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from compute.tests.support.config_database import ConfigSql
from compute.tests.support.service import ComputeService
from compute.tests.support.stage import Stage
from compute.tests.support.valkey import Valkey
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind
from rosetta.local.postgres import PostgresCluster
from rosetta.logs import log_stream

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration, pytest.mark.timeout(300)]
CANARY = "canary-note-5e1b"
OPEN = "SELECT count(*) FROM dlq_records WHERE state IN ('PARKED', 'RETRYING')"


@pytest.fixture
def stage(
    cluster: PostgresCluster, config: ConfigSql, new_database: Callable[[], str], tmp_path: Path, valkey: Valkey
) -> Iterator[Stage]:
    valkey.start()
    shown = {"log_level": "DEBUG", "log_stream_lines": 500}
    service = ComputeService(config.url, tmp_path, redis_url=valkey.url, dlq_check_interval=1, **shown)
    made = Stage(cluster, config, service, new_database(), new_database())
    yield made
    made.close()


def target(stage: Stage, statement: str) -> None:
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute(statement)


def ids(stage: Stage, table: str = "orders") -> list[int]:
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def streaming(stage: Stage, count: int) -> Callable[[], bool]:
    query = "SELECT count(*) FROM table_syncs WHERE state = 'STREAMING'"
    return lambda: bool(stage.config.one(query) == count)


def lines_kept(valkey: Valkey) -> int:
    with valkey.client() as client:
        return int(client.xlen(log_stream(1)))


def entries(valkey: Valkey) -> int:
    with valkey.client() as client:
        return sum(int(client.xlen(key)) for key in client.scan_iter("rosetta:dlq:*", _type="stream"))


def leaks(stage: Stage, valkey: Valkey, *canaries: str) -> list[tuple[str, str]]:
    """Which of them stand where: in what the service prints, logs at DEBUG and serves, in its database, in Redis."""
    service, texts = stage.service, {}
    texts["printed"] = service.log.read_text()
    texts["logged"] = (Path(service.environment["LOG_FOLDER"]) / "app.log").read_text()
    for page in ("health", "metrics"):
        texts[page] = httpx.get(f"http://127.0.0.1:{service.port}/{page}", trust_env=False).text
    with stage.config.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} t")
            texts[table] = str(cursor.fetchall())
    with valkey.client() as client:
        for key in client.scan_iter(_type="stream"):
            texts[str(key)] = str(client.xrange(key))
    assert '"level":"debug"' in texts["logged"]
    assert "rosetta_process_state" in texts["metrics"]
    return [(place, canary) for place, text in texts.items() for canary in canaries if canary in text]


@pytest.fixture
def running(stage: Stage) -> Stage:
    """`orders` and `others` stream; the target refuses a negative amount."""
    stage.source("CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric, note text)")
    stage.source("CREATE TABLE others (id bigint PRIMARY KEY)")
    stage.source("INSERT INTO orders SELECT g, g, 'first' FROM generate_series(1, 10) g")
    assert stage.start_pipeline() == 1
    stage.service.start()
    stage.service.streaming_pid(1)
    eventually(streaming(stage, 2), 60, "both tables stream")
    target(stage, "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0)")
    return stage


def test_f16_a_poison_record_of_a_running_pipeline_outlives_its_process_and_recovers(
    running: Stage, valkey: Valkey
) -> None:
    stage, one = running, running.config.one
    pid = stage.service.streaming_pid(1)
    stage.source(f"INSERT INTO orders VALUES (11, -1, '{CANARY}'), (12, 12, 'fine')")
    eventually(lambda: one(OPEN) == 1 and 12 in ids(stage), 30, "the poison is parked, the rest applied")
    assert 11 not in ids(stage)
    stage.source(f"UPDATE orders SET note = '{CANARY} again' WHERE id = 11")
    eventually(lambda: one(OPEN) == 2, 30, "the later change waits behind it")
    stage.service.kill()
    stage.source("UPDATE orders SET note = 'third' WHERE id = 11")
    stage.source("INSERT INTO orders VALUES (13, 13, 'fine')")
    stage.service.start()
    stage.service.streaming_pid(1, other_than=pid)
    eventually(lambda: 13 in ids(stage), 60, "the stream goes on")
    eventually(lambda: one(OPEN) >= 3, 30, "the third waits, too")
    assert 11 not in ids(stage)
    valkey.flush()
    eventually(lambda: entries(valkey) == one(OPEN), 30, "the streams are made again from the ledger")
    told = "SELECT count(*) FROM notifications WHERE starts_with(kind, 'DLQ')"
    eventually(lambda: lines_kept(valkey) > 0, 40, "the newest lines of its log are there for a backend elsewhere")
    secrets = (stage.cluster.password, stage.service.environment["SECRET_KEY"], valkey.url)
    assert leaks(stage, valkey, CANARY, *secrets) == []
    assert one(told) == 0, "that changes wait is told by the backend, which counts them; these are tried again"
    target(stage, "ALTER TABLE orders DROP CONSTRAINT positive")
    stage.config.run("UPDATE pipeline_destinations SET recover_requested_at = now()")
    eventually(lambda: one(OPEN) == 0, 30, "everything is recovered")
    assert stage.same("orders")
    eventually(lambda: entries(valkey) == 0, 30, "no entry is left")
    assert one(told) == 0


def test_a_table_without_rights_waits_and_streams_again_without_a_copy(running: Stage, valkey: Valkey) -> None:
    stage, one = running, running.config.one
    target(stage, "ALTER TABLE orders RENAME TO away")
    stage.source("INSERT INTO orders VALUES (20, 20, 'waits')")
    stage.source("INSERT INTO others VALUES (1)")
    state = "SELECT state FROM table_syncs WHERE table_name = 'orders'"
    eventually(lambda: one(state) == "ERROR" and ids(stage, "others") == [1], 30, "held; the other goes on")
    stage.source("UPDATE orders SET note = 'waits' WHERE id = 1")
    stage.service.kill()
    stage.source("DELETE FROM orders WHERE id = 2")
    stage.service.start()
    stage.source("INSERT INTO others VALUES (2)")
    eventually(lambda: ids(stage, "others") == [1, 2], 90, "the other goes on after a restart")
    assert one(state) == "ERROR"
    copies = one("SELECT count(*) FROM queue_backfill_data")
    target(stage, "ALTER TABLE away RENAME TO orders")
    stage.config.run("UPDATE pipeline_destinations SET recover_requested_at = now()")
    eventually(lambda: one(state) == "STREAMING", 60, "it streams again")
    eventually(lambda: stage.same("orders"), 30, "all that waited is there")
    assert one("SELECT count(*) FROM queue_backfill_data") == copies
    assert one(OPEN) == 0
    eventually(lambda: entries(valkey) == 0, 30, "no entry is left")


def test_a_resync_supersedes_what_is_parked(running: Stage) -> None:
    stage, one = running, running.config.one
    stage.source("INSERT INTO orders VALUES (30, -30, 'poison')")
    eventually(lambda: one(OPEN) == 1, 30, "it is parked")
    stage.config.run("UPDATE table_syncs SET desired_state = 'RESYNC' WHERE table_name = 'orders'")
    eventually(lambda: one("SELECT count(*) FROM dlq_records WHERE state = 'SUPERSEDED'") == 1, 30, "superseded")
    eventually(lambda: one(OPEN) == 1, 30, "the copy comes upon the row, too")
    target(stage, "ALTER TABLE orders DROP CONSTRAINT positive")
    eventually(lambda: streaming(stage, 2)() and stage.same("orders"), 60, "copied again")
