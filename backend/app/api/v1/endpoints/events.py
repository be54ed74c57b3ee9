"""Server-sent hints: what changed, never the change itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.api.access import requires
from app.api.deps import EventFeedDep
from app.infrastructure.events import EventFeed
from rosetta.enums import Role

router = APIRouter(tags=["monitoring"])
_IDLE_SECONDS: Final = 15.0


@router.get("/events", response_class=StreamingResponse)
@requires(Role.VIEWER)
async def watch_events(feed: EventFeedDep) -> StreamingResponse:
    """A stream of `data: {"table", "op", "id", "pipeline_id"}`; a null table means: anything may have changed."""
    return StreamingResponse(_lines(feed), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _lines(feed: EventFeed) -> AsyncIterator[str]:
    yield "retry: 3000\n\n"
    async for hint in feed.watch(_IDLE_SECONDS):
        yield ": still here\n\n" if hint is None else f"data: {hint}\n\n"
