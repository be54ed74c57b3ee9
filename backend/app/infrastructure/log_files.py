"""What compute logged, where its files can be read."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from app.core.exceptions import ServiceUnavailableError
from app.domain.ports import LogExcerpt, LogLine, LogQuestion, PipelineLogs
from app.infrastructure.log_lines import matching
from rosetta.log_folder import LogFolder, LogPlace

# So much is searched for one answer; the next question goes on from there.
_SEARCHED_BYTES: Final = 32 * 1024 * 1024


class LogFiles:
    """Reads the folder that compute logs into; safe to share, each question opens the files anew.

    Where there is no such folder, whoever is `elsewhere` is asked: files reach further back.
    """

    def __init__(self, folder: Path | None, elsewhere: PipelineLogs | None = None) -> None:
        self._folder = folder
        self._elsewhere = elsewhere

    async def read(self, question: LogQuestion) -> LogExcerpt:
        """See `PipelineLogs.read`."""
        if self._elsewhere is not None and not await asyncio.to_thread(self._is_here):
            return await self._elsewhere.read(question)
        return await asyncio.to_thread(self._read, question)

    def _is_here(self) -> bool:
        return self._folder is not None and self._folder.is_dir()

    def _read(self, question: LogQuestion) -> LogExcerpt:
        if self._folder is None or not self._is_here():
            raise ServiceUnavailableError(
                "Compute's logs are not on this machine, or nobody said where.",
                code="LOGS_NOT_HERE",
                remedy="Set COMPUTE_LOG_FOLDER of the backend to the folder that compute's LOG_FOLDER names, or its"
                " REDIS_URL to compute's.",
            )
        with ExitStack() as stack:
            files = LogFolder(self._folder, stack)
            if question.after is not None:
                return _newer(files, LogPlace.parse(question.after), question)
            return _older(files, None if question.before is None else LogPlace.parse(question.before), question)


def _older(files: LogFolder, before: LogPlace | None, question: LogQuestion) -> LogExcerpt:
    newer = before or files.end()
    found: list[LogLine] = []
    older, searched = None, 0
    for place, line in files.backwards(before):
        searched += len(line)
        if (entry := matching(line, question)) is not None:
            found.append(entry)
        if len(found) == question.limit or searched > _SEARCHED_BYTES:
            older = place
            break
    return LogExcerpt(tuple(reversed(found)), None if older is None else str(older), str(newer) if newer else None)


def _newer(files: LogFolder, after: LogPlace, question: LogQuestion) -> LogExcerpt:
    found: list[LogLine] = []
    place, searched = after, 0
    for reached, line in files.forwards(after):
        place = reached
        searched += len(line)
        if (entry := matching(line, question)) is not None:
            found.append(entry)
        if len(found) == question.limit or searched > _SEARCHED_BYTES:
            break
    return LogExcerpt(tuple(found), str(after), str(place))
