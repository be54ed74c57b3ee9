"""Structured logs: one JSON object a line, to stdout and to a rotated file, redacted on the way out.

`structlog` loggers and those of the standard library (uvicorn, SQLAlchemy, Alembic) go through the same chain.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from rosetta.errors import ConfigurationError
from rosetta.log_file import SharedRotatingFile
from rosetta.redaction import redact_fields

FILE_NAME: Final = "app.log"
_MAXIMUM_BYTES: Final = 20 * 1024 * 1024
_KEPT_FILES: Final = 5
# At INFO or DEBUG these write statements with their parameters, or URLs with their tokens.
_TALKATIVE: Final = ("sqlalchemy", "asyncpg", "httpx", "httpcore", "urllib3", "snowflake", "botocore", "asyncio")
# Servers that bring handlers of their own, which would write unstructured and unredacted.
_SERVERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn", "gunicorn.error", "gunicorn.access")


def configure(service: str, level: str, folder: Path | None) -> None:
    """Sends all logs of this process through one chain; may be called again with other values.

    Args:
        service: who speaks, on every line (`backend`, `compute`).
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL, in any case.
        folder: where `app.log` lies, rotated at 20 MiB with 5 older files kept; several processes may share
            it. None for stdout only.

    Raises:
        ConfigurationError: the level is unknown, or the folder cannot be written.
    """
    threshold = _threshold(level)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_chain(service),
        processors=[
            _add_timestamp,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _redacted,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
    )
    _replace_handlers([logging.StreamHandler(sys.stdout), *_files(folder)], formatter)
    logging.getLogger().setLevel(threshold)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_chain(service),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _log_uncaught


def _threshold(level: str) -> int:
    known = logging.getLevelNamesMapping()
    try:
        return known[level.strip().upper()]
    except KeyError:
        raise ConfigurationError(
            "LOG_LEVEL is unknown", remedy="Use DEBUG, INFO, WARNING, ERROR or CRITICAL."
        ) from None


def _files(folder: Path | None) -> list[logging.Handler]:
    if folder is None:
        return []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [SharedRotatingFile(folder / FILE_NAME, _MAXIMUM_BYTES, _KEPT_FILES)]
    except OSError as error:
        raise ConfigurationError(
            f"the log folder {folder} cannot be written: {error.strerror}",
            remedy="Make it writable for this user, or start in another folder.",
        ) from None


def _replace_handlers(handlers: list[logging.Handler], formatter: logging.Formatter) -> None:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if getattr(handler, "rosetta", False)]:
        root.removeHandler(old)
        old.close()
    for name in _SERVERS:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for handler in handlers:
        # Only our own are replaced by the next call; a test's or a debugger's stay.
        handler.rosetta = True  # type: ignore[attr-defined]
        handler.setFormatter(formatter)
        root.addHandler(handler)


def _chain(service: str) -> list[Processor]:
    def name_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        name_service,
    ]


def _add_timestamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """When the line was logged, the same in every output."""
    event["timestamp"] = datetime.fromtimestamp(event["_record"].created, UTC).isoformat(timespec="milliseconds")
    return event


def _redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return redact_fields(event)


def _json(event: EventDict, **_: Any) -> str:
    # `_redacted` left nothing but JSON's own types; integers of any size and text that is no UTF-8 are written too.
    try:
        return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        safe = {str(name).encode(errors="replace").decode(): repr(value) for name, value in event.items()}
        return orjson.dumps(safe).decode()


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What the interpreter would print to stderr unredacted."""
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger(__name__).critical("uncaught_error", exc_info=(kind, error, traceback))
