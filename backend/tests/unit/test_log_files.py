"""Reading a log that is rotated meanwhile: every line once, in order, in both directions."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from app.core.exceptions import ServiceUnavailableError
from app.domain.ports import LogQuestion
from app.infrastructure import log_files
from app.infrastructure.log_files import LogFiles

from rosetta import log_folder, logs
from rosetta.log_file import SharedRotatingFile

MINE = LogQuestion(pipeline_id=7, limit=10)


class Log:
    """A folder and a writer that rotates every few lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handler = SharedRotatingFile(folder / "app.log", 2_000, 5)
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self.written = 0

    def write(self, count: int, pipeline_id: int = 7, level: str = "info") -> None:
        for _ in range(count):
            line = {
                "timestamp": "2026-11-21T12:00:00.000+00:00",
                "level": level,
                "event": f"line_{self.written}",
                "pipeline_id": pipeline_id,
            }
            text = json.dumps(line, separators=(",", ":"))
            self._handler.handle(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))
            self.written += 1

    def close(self) -> None:
        self._handler.close()


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    monkeypatch.setattr(log_folder, "_BLOCK_BYTES", 150)  # lines lie across several blocks
    made = Log(tmp_path)
    yield made
    made.close()


def events(count: range) -> list[str]:
    return [f"line_{number}" for number in count]


async def backwards(reader: LogFiles, question: LogQuestion) -> list[str]:
    found: list[str] = []
    before: str | None = None
    while True:
        answer = await reader.read(replace(question, before=before))
        found = [line.event for line in answer.lines] + found
        if answer.older is None:
            return found
        before = answer.older


async def test_pages_lead_back_to_the_beginning_over_all_files(log: Log) -> None:
    reader = LogFiles(log.folder)
    log.write(60)
    assert len(list(log.folder.glob("app.log*"))) > 2
    newest = await reader.read(MINE)
    assert [line.event for line in newest.lines] == events(range(50, 60))
    assert await backwards(reader, MINE) == events(range(60))


async def test_following_sees_every_line_once_through_rotations(log: Log) -> None:
    reader = LogFiles(log.folder)
    log.write(3)
    answer = await reader.read(MINE)
    seen = [line.event for line in answer.lines]
    for count in (1, 25, 0, 7, 40):
        log.write(count)
        while True:
            answer = await reader.read(replace(MINE, after=answer.newer))
            seen += [line.event for line in answer.lines]
            if not answer.lines:
                break
    assert seen == events(range(log.written))


async def test_what_was_rotated_away_is_passed_over(log: Log) -> None:
    reader = LogFiles(log.folder)
    log.write(1)
    first = await reader.read(MINE)
    log.write(400)
    answer = await reader.read(replace(MINE, after=first.newer, limit=1000))
    seen = [line.event for line in answer.lines]
    assert seen == events(range(401 - len(seen), 401))
    assert (await reader.read(replace(MINE, before=first.newer))).lines == ()


async def test_lines_are_filtered_by_pipeline_level_and_text(log: Log) -> None:
    reader = LogFiles(log.folder)
    log.write(5, pipeline_id=70)
    log.write(2)
    log.write(1, level="error")
    log.write(5, pipeline_id=77)
    assert await backwards(reader, MINE) == ["line_5", "line_6", "line_7"]
    assert await backwards(reader, replace(MINE, level="warning")) == ["line_7"]
    assert await backwards(reader, replace(MINE, search="LINE_6")) == ["line_6"]


async def test_a_line_that_is_being_written_is_read_when_it_is_whole(log: Log) -> None:
    reader = LogFiles(log.folder)
    log.write(1)
    last = (log.folder / "app.log").read_bytes()
    with (log.folder / "app.log").open("ab") as file:
        file.write(last[:30])
        file.flush()
        answer = await reader.read(MINE)
        assert len(answer.lines) == 1
        assert (await reader.read(replace(MINE, after=answer.newer))).lines == ()
        file.write(last[30:] + b"no json, pipeline 7\n" + b'{"pipeline_id":7}\n')
    assert len((await reader.read(replace(MINE, after=answer.newer))).lines) == 1


async def test_a_search_that_finds_little_goes_on_from_where_it_stopped(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "_SEARCHED_BYTES", 300)
    log.write(1)
    log.write(30, pipeline_id=8)
    reader = LogFiles(log.folder)
    assert (await reader.read(MINE)).lines == ()
    assert await backwards(reader, MINE) == ["line_0"]


async def test_without_a_log_there_are_no_lines_and_without_a_folder_a_reason(tmp_path: Path) -> None:
    answer = await LogFiles(tmp_path).read(MINE)
    assert (answer.lines, answer.older, answer.newer) == ((), None, None)
    for folder in (None, tmp_path / "absent"):
        with pytest.raises(ServiceUnavailableError) as raised:
            await LogFiles(folder).read(MINE)
        assert "COMPUTE_LOG_FOLDER" in (raised.value.remedy or "")


async def test_what_a_pipelines_process_logs_is_found(tmp_path: Path) -> None:
    logs.configure("compute", "INFO", tmp_path, about={"pipeline_id": 7})
    try:
        logs.get_logger("compute.slot").warning("slot_lost", slot="rosetta_4_7")
        logging.getLogger("library").error("in its own words")
    finally:
        logs.configure("tests", "WARNING", None)
    own, foreign = (await LogFiles(tmp_path).read(replace(MINE, level="warning"))).lines
    assert (own.event, own.level, own.logger) == ("slot_lost", "warning", "compute.slot")
    assert own.fields["slot"] == "rosetta_4_7"
    assert (foreign.event, foreign.level) == ("in its own words", "error")
