"""One line of compute's log, as it was written: whether somebody asked for it, and what it says."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson

from app.domain.ports import LogLine, LogQuestion

_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def matching(line: bytes, question: LogQuestion) -> LogLine | None:
    """The line if it is of this pipeline and fits; most are refused before they are parsed."""
    mark = b'"pipeline_id":%d' % question.pipeline_id
    if mark + b"," not in line and mark + b"}" not in line:
        return None
    if question.search and question.search.casefold() not in line.decode(errors="replace").casefold():
        return None
    try:
        fields: dict[str, Any] = orjson.loads(line)
        if fields.pop("pipeline_id") != question.pipeline_id:
            return None
        level = str(fields.pop("level"))
        if _rank(level) < _rank(question.level):
            return None
        return LogLine(
            timestamp=datetime.fromisoformat(fields.pop("timestamp")),
            level=level,
            event=str(fields.pop("event")),
            logger=str(fields.pop("logger", "")),
            fields=fields,
        )
    except (ValueError, KeyError):  # cut off in the middle, or of another hand
        return None


def _rank(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)
