"""What happens around every request: one log line, a bound, and headers that keep browsers careful."""

from __future__ import annotations

import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.metrics import REQUEST_SECONDS
from app.core.logging import get_logger

_log = get_logger(__name__)
_QUIET: Final = frozenset({"/health", "/health/live"})
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}


class SecurityHeadersMiddleware:
    """Adds the headers that a response does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimitMiddleware:
    """Stops reading a body beyond the limit, whether its length was declared or not."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        seen = int(declared) if declared.isdecimal() and int(declared) > self._max_bytes else 0

        async def bounded_receive() -> Message:
            nonlocal seen
            if seen <= self._max_bytes:
                message = await receive()
                seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                # FastAPI passes this on from wherever it reads the body, to the handler of all errors.
                raise HTTPException(413, f"A body has at most {self._max_bytes} bytes.")
            return message

        await self._app(scope, bounded_receive, send)


class RequestLogMiddleware:
    """Logs method, path, status, duration and actor of each request; no query and no body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            actor = scope.get("state", {}).get("actor")
            REQUEST_SECONDS.labels(scope["method"], _route(scope), status).observe(time.perf_counter() - started)
            _log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_seconds=round(time.perf_counter() - started, 6),
                actor=actor.name if actor is not None else None,
            )


def _route(scope: Scope) -> str:
    """The path with its parameters' names instead of their values; empty for a path that no route has."""
    if "route" not in scope:
        return ""
    names = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    return "/".join(names.get(part, part) for part in scope["path"].split("/"))
