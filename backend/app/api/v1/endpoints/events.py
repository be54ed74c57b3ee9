"""Server-sent hints: what changed, never the change itself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from app.api.access import requires
from app.api.deps import EventFeedDep
from app.core.exceptions import ServiceUnavailableError
from app.infrastructure.events import EventFeed
from rosetta.enums import Role

router = APIRouter(tags=["monitoring"])
_IDLE_SECONDS: Final = 15.0


@router.get("/events", response_class=StreamingResponse)
@requires(Role.VIEWER)
async def watch_events(request: Request, feed: EventFeedDep) -> StreamingResponse:
    """A stream of `data: {"table", "op", "id", "pipeline_id"}`; a null table means: anything may have changed."""
    if feed.crowded:
        raise ServiceUnavailableError(
            "Too many watch already.", code="TOO_MANY_WATCHERS", remedy="Ask again later, or ask the routes themselves."
        )
    lines = _lines(feed, request.state.still_known)
    return StreamingResponse(lines, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _lines(feed: EventFeed, still_known: Callable[[], Awaitable[bool]]) -> AsyncIterator[str]:
    """Ends soon after the session or the token that asked for it."""
    yield "retry: 3000\n\n"
    ask_at = time.monotonic() + _IDLE_SECONDS
    async with aclosing(feed.watch(_IDLE_SECONDS)) as hints:
        async for hint in hints:
            if time.monotonic() >= ask_at:
                if not await still_known():
                    return
                ask_at = time.monotonic() + _IDLE_SECONDS
            yield ": still here\n\n" if hint is None else f"data: {hint}\n\n"
