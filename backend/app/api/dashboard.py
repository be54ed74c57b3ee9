"""The built dashboard: static files for everybody, beside the API and on the same address.

Whatever no route of the API begins with belongs to the dashboard. It is answered before anybody is asked who they are:
the files are the same for all, and what they show they ask of the API.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import errors
from app.api.session_cookies import SIGNED_IN_COOKIE

# Bundled files carry a hash of their content in their names; everything else is asked for anew each time.
_HASHED: Final = "/assets/"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_SERVED: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_MODIFIED, HTTPStatus.PARTIAL_CONTENT})
# Styles may be inline, because dialogs and toasts position themselves by them; scripts may not.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


class DashboardMiddleware:
    """Answers what is the dashboard's and passes on what is the API's.

    A page's address inside the dashboard is answered with `index.html` when a browser navigates to it; a missing file,
    or an address that no browser opens, is a 404 in the API's form.
    """

    def __init__(self, app: ASGIApp, api: FastAPI, folder: Path, *, everybody_signed_in: bool = False) -> None:
        self._app = app
        self._of_the_api = frozenset(_first(context.path or "") for context in iter_route_contexts(api.routes))
        self._files = _with_headers(_files(folder), everybody_signed_in=everybody_signed_in)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        static = scope["type"] == "http" and _first(scope["path"]) not in self._of_the_api
        await (self._files if static else self._app)(scope, receive, send)


def _files(folder: Path) -> ASGIApp:
    files = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    errors.install(files)
    files.frontend("/", directory=folder, fallback="index.html", check_dir=True)
    files.add_middleware(GZipMiddleware, minimum_size=1024)
    return files


def _with_headers(files: ASGIApp, *, everybody_signed_in: bool) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _SERVED:
                headers = MutableHeaders(scope=message)
                headers["Cache-Control"] = _FOR_EVER if scope["path"].startswith(_HASHED) else _ASK_AGAIN
                headers["Content-Security-Policy"] = _POLICY
                if everybody_signed_in:
                    headers.append("Set-Cookie", f"{SIGNED_IN_COOKIE}=1; Path=/; SameSite=Strict")
            await send(message)

        await files(scope, receive, send_with_headers)

    return serve


def _first(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""
