"""How often one caller is answered: a sliding window per minute, counted in this process."""

from __future__ import annotations

import math
import re
import time
from http import HTTPStatus
from typing import Final

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.access import PUBLIC_PATHS, credential_of
from app.api.errors import error_response
from app.core.config import Settings
from app.core.exceptions import TooManyRequestsError

_CONNECTION_TEST: Final = re.compile(r"/test-connection$")
_UNBOUNDED: Final = frozenset({"/health", "/health/live"})
# Where a password can be guessed.
_SIGN_INS: Final = PUBLIC_PATHS | {"/api/v1/auth/password"}
_REFUSED_PER_MINUTE: Final = 120  # of one address, with no or wrong credentials


class RateLimitMiddleware:
    """Bounds requests per minute: sign-ins by address, connection tests and everything else by token or session.

    With several workers each counts for itself, so the bound is per worker. It stands before authentication: a
    guess at a password or a token costs no query once the bound is reached.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        storage = MemoryStorage()
        self._exact = MovingWindowRateLimiter(storage)
        self._rough = SlidingWindowCounterRateLimiter(storage)
        self._sign_ins = RateLimitItemPerMinute(settings.sign_in_limit_per_minute, namespace="sign-in")
        self._tests = RateLimitItemPerMinute(settings.connection_test_limit_per_minute, namespace="test")
        self._all = RateLimitItemPerMinute(settings.rate_limit_per_minute, namespace="all")
        self._refused = RateLimitItemPerMinute(_REFUSED_PER_MINUTE, namespace="refused")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNBOUNDED:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        wait_seconds = self._wait_seconds(request)
        if wait_seconds is not None:
            await error_response(TooManyRequestsError(wait_seconds))(scope, receive, send)
            return

        async def note_refusal(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.UNAUTHORIZED:
                self._rough.hit(self._refused, _address(request))
            await send(message)

        await self._app(scope, receive, note_refusal)

    def _wait_seconds(self, request: Request) -> int | None:
        """Seconds to wait when this request is one too many; None when it is not."""
        address = _address(request)
        if not self._rough.test(self._refused, address):
            return self._wait(self._rough, self._refused, address)
        if request.url.path in _SIGN_INS:
            return self._hit(self._exact, self._sign_ins, address)
        caller = _caller(request) or address
        if _CONNECTION_TEST.search(request.url.path):
            return self._hit(self._exact, self._tests, caller)
        return self._hit(self._rough, self._all, caller)

    @staticmethod
    def _hit(
        limiter: MovingWindowRateLimiter | SlidingWindowCounterRateLimiter, item: RateLimitItem, key: str
    ) -> int | None:
        return None if limiter.hit(item, key) else RateLimitMiddleware._wait(limiter, item, key)

    @staticmethod
    def _wait(limiter: MovingWindowRateLimiter | SlidingWindowCounterRateLimiter, item: RateLimitItem, key: str) -> int:
        return max(1, math.ceil(limiter.get_window_stats(item, key).reset_time - time.time()))


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _caller(request: Request) -> str:
    """Tells callers apart without keeping what they sign in with; empty for one who shows nothing."""
    shown = credential_of(request)
    return "" if shown is None else format(hash(shown), "x")
