"""Structured logs: JSON to stdout and to `logs/app.log`, both redacted by `rosetta.logs`."""

from __future__ import annotations

import logging

from app.core.config import Settings
from rosetta import logs
from rosetta.logs import get_logger

__all__ = ["configure", "get_logger"]


def configure(settings: Settings) -> None:
    """Sets the process's logging up; called once, before anything is logged."""
    logs.configure("backend", settings.log_level, settings.log_folder)
    # Our own line for each request says the same without the query, which may hold the key of a row.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
