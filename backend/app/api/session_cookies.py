"""The two cookies of a session: the secret one, which scripts cannot read, and one that only says that it is there.

The second lets a page know that nobody is signed in without asking and being refused. It is worth nothing to a thief,
and nothing on the server trusts it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Send

SESSION_COOKIE: Final = "rosetta_session"
SIGNED_IN_COOKIE: Final = "rosetta_signed_in"


def set_session(request: Request, response: Response, token: str, expires_at: datetime) -> None:
    """Has the browser keep the session until it ends."""
    for name, value, hidden in ((SESSION_COOKIE, token, True), (SIGNED_IN_COOKIE, "1", False)):
        response.set_cookie(
            name,
            value,
            expires=expires_at,
            path="/",
            secure=request.url.scheme == "https",
            httponly=hidden,
            samesite="strict",
        )


def end_session(response: Response) -> None:
    """Has the browser forget the session."""
    for name in (SESSION_COOKIE, SIGNED_IN_COOKIE):
        response.delete_cookie(name, path="/")


def renewing(request: Request, send: Send, token: str, expires_at: datetime) -> Send:
    """`send` that prolongs the cookies too, unless the answer says itself what becomes of them."""

    async def send_with_cookies(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if "set-cookie" not in headers:
                cookies = Response()
                set_session(request, cookies, token, expires_at)
                for cookie in cookies.headers.getlist("set-cookie"):
                    headers.append("set-cookie", cookie)
        await send(message)

    return send_with_cookies
