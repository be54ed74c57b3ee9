"""The newest lines of each pipeline's log, from the files into Redis."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from compute.config.settings import Settings
from compute.log_sender import LogSender, log_senders
from compute.tests.support.valkey import Valkey
from compute.tests.support.waiting import eventually
from rosetta.log_file import SharedRotatingFile
from rosetta.logs import STREAM_FIELD, log_stream

KEPT = 300

Write = Callable[..., None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    made = Valkey(tmp_path / "valkey")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.fixture
def write(folder: Path) -> Iterator[Write]:
    """Logs lines of a pipeline; the file is rotated every few hundred."""
    handler = SharedRotatingFile(folder / "app.log", 20_000, 5)
    handler.setFormatter(logging.Formatter("%(message)s"))

    def lines(numbers: range, pipeline_id: int | None = 7) -> None:
        about = {} if pipeline_id is None else {"pipeline_id": pipeline_id}
        for number in numbers:
            text = json.dumps({"event": f"line_{number}", **about}, separators=(",", ":"))
            handler.handle(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))

    yield lines
    handler.close()


@pytest.fixture
def sending(server: Valkey, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], LogSender]]:
    monkeypatch.setattr("compute.log_sender._PAUSE_SECONDS", 0.02)
    monkeypatch.setattr("compute.log_sender._BATCH_LINES", 100)
    made: list[LogSender] = []

    def start() -> LogSender:
        made.append(LogSender(folder, server.url, KEPT))
        made[-1].start()
        return made[-1]

    yield start
    for sender in made:
        sender.stop()


def kept(client: redis.Redis, pipeline_id: int = 7) -> list[int]:
    """Numbers of the lines that are there, oldest first."""
    entries: Any = client.xrange(log_stream(pipeline_id))
    return [int(json.loads(fields[STREAM_FIELD])["event"].removeprefix("line_")) for _, fields in entries]


def test_every_line_is_sent_once_by_one_of_several_over_rotations_restarts_and_outages(
    server: Valkey, write: Write, sending: Callable[[], LogSender]
) -> None:
    with server.client() as client:
        write(range(150))
        write(range(5), pipeline_id=8)
        write(range(5), pipeline_id=None)
        first, second = sending(), sending()  # of two services that share the folder
        eventually(lambda: kept(client) == list(range(150)))
        assert kept(client, 8) == list(range(5))
        assert sorted(str(key) for key in client.keys("*")) == [log_stream(7), log_stream(8)]
        assert 0 < int(client.ttl(log_stream(7))) <= 7 * 24 * 3600
        first.stop()
        write(range(150, 200))
        eventually(lambda: kept(client) == list(range(200)), what="the other one goes on from there")
        second.stop()
        server.kill()
        third = sending()
        write(range(200, 260))
        eventually(lambda: third._failing)
        server.start()
        eventually(lambda: kept(client) == list(range(260)), what="nothing is missing after an outage")
        write(range(260, 900))
        eventually(lambda: kept(client)[-1:] == [899])
        newest = kept(client)
        assert KEPT <= len(newest) <= KEPT + 100
        assert newest == list(range(900 - len(newest), 900))


def test_nobody_sends_where_nobody_wants_it() -> None:
    settings = partial(Settings, secret_key="k", config_database_url="postgresql://x/y")
    assert log_senders(settings(log_folder=None)) == []
    assert log_senders(settings(log_folder=Path("logs"), log_stream_lines=0)) == []
