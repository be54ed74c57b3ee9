"""Structured logs: one JSON object a line, to stdout and to a rotated file, redacted on the way out.

They stand on the standard library's logging, so that the lines of libraries (uvicorn, SQLAlchemy, Alembic) go the
same way, and a pipeline's process pays for nothing else: structlog and asyncio took 6 MB of each.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import orjson

from rosetta.errors import ConfigurationError
from rosetta.log_file import SharedRotatingFile
from rosetta.redaction import redact_fields

FILE_NAME: Final = "app.log"
# The field of an entry of `log_stream`.
STREAM_FIELD: Final = "line"
_MAXIMUM_BYTES: Final = 20 * 1024 * 1024
_KEPT_FILES: Final = 5
# At INFO or DEBUG these write statements with their parameters, or URLs with their tokens.
_TALKATIVE: Final = ("sqlalchemy", "asyncpg", "httpx", "httpcore", "urllib3", "snowflake", "botocore", "asyncio")
# Servers that bring handlers of their own, which would write unstructured and unredacted.
_SERVERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn", "gunicorn.error", "gunicorn.access")


def log_stream(pipeline_id: int) -> str:
    """The Redis stream with a pipeline's newest lines, for those who cannot see the files."""
    return f"rosetta:logs:{pipeline_id}"


class Logger:
    """Writes events: a constant name, and the fields that tell one from another.

    `exc_info` is the standard library's: an exception, True for the one being handled, or its three parts.
    """

    def __init__(self, logger: logging.Logger, bound: dict[str, Any] | None = None) -> None:
        self._logger = logger
        self._bound = bound or {}

    def bind(self, **fields: Any) -> Logger:
        """The same with fields that every event of it has."""
        return Logger(self._logger, self._bound | fields)

    def debug(self, event: str, /, *arguments: object, **fields: Any) -> None:
        self._write(logging.DEBUG, event, arguments, fields)

    def info(self, event: str, /, *arguments: object, **fields: Any) -> None:
        self._write(logging.INFO, event, arguments, fields)

    def warning(self, event: str, /, *arguments: object, **fields: Any) -> None:
        self._write(logging.WARNING, event, arguments, fields)

    def error(self, event: str, /, *arguments: object, **fields: Any) -> None:
        self._write(logging.ERROR, event, arguments, fields)

    def critical(self, event: str, /, *arguments: object, **fields: Any) -> None:
        self._write(logging.CRITICAL, event, arguments, fields)

    def exception(self, event: str, /, *arguments: object, **fields: Any) -> None:
        """An error, with the exception that is being handled."""
        self._write(logging.ERROR, event, arguments, {"exc_info": True} | fields)

    def _write(self, level: int, event: str, arguments: tuple[object, ...], fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            exc_info = fields.pop("exc_info", None)
            self._logger.log(level, event, *arguments, exc_info=exc_info, extra={"fields": self._bound | fields})


def get_logger(name: str) -> Logger:
    """The logger of that name; before `configure` only warnings are seen, and without their fields."""
    return Logger(logging.getLogger(name))


def configure(service: str, level: str, folder: Path | None, about: Mapping[str, Any] | None = None) -> None:
    """Sends all logs of this process through one chain; may be called again with other values.

    Args:
        service: who speaks, on every line (`backend`, `compute`).
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL, in any case.
        folder: where `app.log` lies, rotated at 20 MiB with 5 older files kept; several processes may share
            it. None for stdout only.
        about: fields on every line of this process, e.g. the pipeline that it runs.

    Raises:
        ConfigurationError: the level is unknown, or the folder cannot be written.
    """
    threshold = _threshold(level)
    _replace_handlers(
        [logging.StreamHandler(sys.stdout), *_files(folder)], _JsonLines({"service": service, **(about or {})})
    )
    logging.getLogger().setLevel(threshold)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    sys.excepthook = _log_uncaught


class _JsonLines(logging.Formatter):
    def __init__(self, about: Mapping[str, Any]) -> None:
        super().__init__()
        self._about = about

    def format(self, record: logging.LogRecord) -> str:
        event = {
            **self._about,
            **getattr(record, "fields", {}),
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return _json(redact_fields(event))


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


def _json(event: dict[str, Any]) -> str:
    # Redaction left nothing but JSON's own types; integers of any size and text that is no UTF-8 are written too.
    try:
        return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        safe = {str(name).encode(errors="replace").decode(): repr(value) for name, value in event.items()}
        return orjson.dumps(safe).decode()


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What the interpreter would print to stderr unredacted."""
    if issubclass(kind, KeyboardInterrupt):
        return
    get_logger(__name__).critical("uncaught_error", exc_info=(kind, error, traceback))
