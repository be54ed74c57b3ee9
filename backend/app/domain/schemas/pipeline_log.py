"""The log of one pipeline, as compute wrote it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from app.domain.schemas.base import Body, Text, View

_CURSOR = r"^[0-9a-f]{1,16}-[0-9a-f]{1,16}$"


class LogQuery(Body):
    """Without a cursor the newest lines. To follow, ask again with `after` = the last answer's `newer`."""

    limit: int = Field(default=200, ge=1, le=1000)
    level: Literal["debug", "info", "warning", "error", "critical"] = Field(default="debug", description="at least")
    search: Text | None = Field(default=None, max_length=200, description="part of the line, in any case")
    before: str | None = Field(default=None, pattern=_CURSOR)
    after: str | None = Field(default=None, pattern=_CURSOR)

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.before is not None and self.after is not None:
            raise ValueError("ask for lines before a cursor or after one, not both")
        return self


class LogLineView(View):
    timestamp: datetime
    level: str
    event: str
    logger: str
    fields: dict[str, Any]


class LogView(View):
    """Lines, oldest first. `older` is null where the log begins; `newer` is null while there is no log at all."""

    lines: list[LogLineView]
    older: str | None
    newer: str | None
