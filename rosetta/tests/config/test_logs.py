"""Logs are JSON, rotated, and hold no secret, whichever way it was about to be written."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rosetta
from rosetta import logs
from rosetta.errors import ConfigurationError
from rosetta.log_file import SharedRotatingFile

CANARY = "c4n4ry/p@ss"
DSN = f"postgresql://rosetta:{CANARY}@db/config"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    level, hook = root.level, sys.excepthook
    talkative = {name: logging.getLogger(name).level for name in logs._TALKATIVE}
    yield
    for handler in [handler for handler in root.handlers if getattr(handler, "rosetta", False)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    for name, before in talkative.items():
        logging.getLogger(name).setLevel(before)
    sys.excepthook = hook


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "app.log").read_text().splitlines()]


def test_both_kinds_of_logger_write_the_same_json_to_stdout_and_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("compute", "info", tmp_path / "logs")
    logs.get_logger("a").bind(pipeline_id=7).info("pipeline_started", slot_name="rosetta_1_7")
    logging.getLogger("b").warning("%d rows left", 3)
    logs.get_logger("a").debug("not_written")
    lines = written(tmp_path / "logs")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines
    assert [line.pop("timestamp").endswith("+00:00") for line in lines] == [True, True]
    assert lines == [
        {"event": "pipeline_started", "slot_name": "rosetta_1_7", "pipeline_id": 7, "level": "info", "logger": "a",
         "service": "compute"},
        {"event": "3 rows left", "level": "warning", "logger": "b", "service": "compute"},
    ]  # fmt: skip


def test_no_secret_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("backend", "DEBUG", tmp_path)
    log = logs.get_logger("test")
    log.info(f"connecting to {DSN}")  # noqa: G004 - people do
    log.info("source_created", pg_password=CANARY, config={"deep": [{"passphrase": CANARY}]}, url=DSN, other=Path(DSN))
    log.info("with %s", DSN)
    logging.getLogger("library").info("connecting to %s", DSN)
    logging.getLogger("sqlalchemy.engine.Engine").info("[generated in 0.1s] ('%s',)", CANARY)
    for logger in (log, logging.getLogger("library")):
        try:
            raise ValueError(f"cannot open {DSN}")
        except ValueError:
            logger.exception("failed")
    output = (tmp_path / "app.log").read_text() + capsys.readouterr().out
    assert "c4n4ry" not in output
    lines = written(tmp_path)
    assert len(lines) == 6
    assert "ValueError: cannot open postgresql://rosetta:[redacted]@db/config" in lines[-1]["exception"]
    assert "Traceback" in lines[-2]["exception"]


def test_odd_values_are_written(tmp_path: Path) -> None:
    logs.configure("backend", "INFO", tmp_path)
    logs.get_logger("test").info("odd", big=2**80, lone="\ud800", when=object, none=None, nan=float("nan"))
    (line,) = written(tmp_path)
    assert line["event"].strip("'") == "odd"


def test_an_uncaught_error_is_logged_redacted(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rosetta.logs import configure;"
        "configure('compute', 'INFO', Path(sys.argv[1])); raise ValueError('password=' + sys.argv[2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, CANARY], capture_output=True, text=True, check=False,
        cwd=Path(rosetta.__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 1
    assert "c4n4ry" not in done.stdout + done.stderr
    (line,) = written(tmp_path)
    assert line["level"] == "critical"
    assert "ValueError: password=[redacted]" in line["exception"]


def test_configuring_again_replaces_and_does_not_double(tmp_path: Path) -> None:
    logs.configure("one", "INFO", tmp_path / "one")
    log = logs.get_logger("test")
    logs.configure("two", "INFO", tmp_path / "two")
    log.info("once")
    assert written(tmp_path / "one") == []
    assert [line["service"] for line in written(tmp_path / "two")] == ["two"]


def test_servers_speak_through_the_same_chain(tmp_path: Path) -> None:
    server = logging.getLogger("uvicorn.error")
    server.addHandler(logging.StreamHandler())
    server.propagate = False
    logs.configure("backend", "INFO", tmp_path)
    server.info("GET /callback?token=%s", CANARY)
    (line,) = written(tmp_path)
    assert line["event"] == "GET /callback?token=[redacted]"
    assert server.handlers == []


def test_a_wrong_level_and_an_unwritable_folder_are_configuration_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="LOG_LEVEL"):
        logs.configure("backend", "loud", None)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        logs.configure("backend", "INFO", tmp_path / "file" / "logs")


def test_processes_that_share_the_file_rotate_it_together_and_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    code = (
        "import logging, sys; from pathlib import Path; from rosetta.log_file import SharedRotatingFile;"
        "handler = SharedRotatingFile(Path(sys.argv[1]), 20_000, 50);"
        "log = logging.getLogger(); log.addHandler(handler);"
        "[log.warning('%s %06d %s', sys.argv[2], number, 'x' * 80) for number in range(2000)]"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, path, name], cwd=Path(rosetta.__file__).parents[1])
        for name in ("a", "b", "c")
    ]
    for writer in writers:
        assert writer.wait(60) == 0
    files = list(tmp_path.glob("app.log*"))
    assert 25 < len(files) <= 51
    assert max(file.stat().st_size for file in files) < 20_000 + 3 * 100
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 6000


def test_a_removed_file_comes_back(tmp_path: Path) -> None:
    handler = SharedRotatingFile(tmp_path / "app.log", 1000, 1)
    handler.handle(logging.makeLogRecord({"msg": "first"}))
    (tmp_path / "app.log").unlink()
    handler.handle(logging.makeLogRecord({"msg": "second"}))
    handler.close()
    assert (tmp_path / "app.log").read_text() == "second\n"
