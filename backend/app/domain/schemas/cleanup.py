"""What compute still has to undo at a source or a destination."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.domain.schemas.base import View
from rosetta.enums import CleanupKind


class CleanupView(View):
    """An object of a pipeline that left, which compute tries to remove until it is gone."""

    kind: CleanupKind
    object_name: str
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    created_at: datetime


class LeftBehindView(View):
    """An object that nobody will remove any more, and the SQL that does."""

    kind: CleanupKind
    object_name: str
    sql: str = Field(description="to be run by hand, where the object is")


class ForcedView(View):
    """What a forced deletion gave up."""

    left_behind: list[LeftBehindView]
