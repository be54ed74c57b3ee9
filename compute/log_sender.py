"""Keeps the newest lines of each pipeline's log in Redis, for backends that do not see this machine's files."""

from __future__ import annotations

import fcntl
import re
import threading
from contextlib import ExitStack
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Final

import redis

from compute.config.settings import Settings
from compute.dlq.redis_link import connected
from rosetta.log_folder import LogFolder, LogPlace
from rosetta.logs import STREAM_FIELD, get_logger, log_stream

_PAUSE_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 3.0
_BATCH_LINES: Final = 1_000
# After so long without a line what a pipeline logged is gone; so is that of a deleted one.
_KEPT_SECONDS: Final = 7 * 24 * 3600
_BEGINNING: Final = LogPlace(0, 0)
_OF_A_PIPELINE: Final = re.compile(rb'"pipeline_id":(\d+)[,}]')
_log = get_logger("compute.log_sender")


class LogSender:
    """A thread that follows the files. Of several services that share a folder one sends.

    The files are the truth, and where it stands is kept beside them: while Redis is away nothing is lost that was not
    rotated away meanwhile, and a restart goes on from there. After a crash some lines may be there twice.
    """

    def __init__(self, folder: Path, url: str, kept_lines: int) -> None:
        """`kept_lines`: of each pipeline, a little more at times."""
        self._folder = folder
        self._client = connected(url)
        self._kept_lines = kept_lines
        self._failing = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends between two batches; what was logged last is sent by the next service, from the files."""
        self._ended.set()
        self._thread.join(_LAST_SECONDS)
        self._client.close()

    def _run(self) -> None:
        with (self._folder / ".app.log.sent").open("a+", encoding="ascii") as kept:
            while not self._ended.wait(_PAUSE_SECONDS):
                if _is_ours(kept):
                    self._send_all(kept)

    def _send_all(self, kept: TextIOWrapper) -> None:
        try:
            while not self._ended.is_set() and self._send(kept) == _BATCH_LINES:
                pass
            self._failing = False
        except (redis.RedisError, OSError) as error:
            if not self._failing:
                _log.warning("log_not_sent", error_class=type(error).__name__)
            self._failing = True

    def _send(self, kept: TextIOWrapper) -> int:
        """Sends one batch; how many lines were looked at."""
        place, seen = _place(kept), 0
        streams: set[str] = set()
        with ExitStack() as stack:
            batch = stack.enter_context(self._client.pipeline(transaction=False))
            for reached, line in islice(LogFolder(self._folder, stack).forwards(place), _BATCH_LINES):
                place, seen = reached, seen + 1
                if found := _OF_A_PIPELINE.search(line):
                    stream = log_stream(int(found[1]))
                    streams.add(stream)
                    batch.xadd(stream, {STREAM_FIELD: line[:-1]}, maxlen=self._kept_lines, approximate=True)
            for stream in streams:
                batch.expire(stream, _KEPT_SECONDS)
            if streams:
                batch.execute()
        if seen:
            kept.seek(0)
            kept.truncate()
            kept.write(str(place))
            kept.flush()
        return seen


def log_senders(settings: Settings) -> list[LogSender]:
    """One, or none where there are no files or nobody wants the lines elsewhere."""
    if settings.log_folder is None or settings.log_stream_lines == 0:
        return []
    return [LogSender(settings.log_folder, settings.redis_url, settings.log_stream_lines)]


def _is_ours(kept: TextIOWrapper) -> bool:
    """Whether we send from this folder; it is ours until this process ends."""
    try:
        fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _place(kept: TextIOWrapper) -> LogPlace:
    kept.seek(0)
    try:
        return LogPlace.parse(kept.read())
    except ValueError:  # nothing was sent yet
        return _BEGINNING
