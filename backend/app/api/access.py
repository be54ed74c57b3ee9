"""Who may do what: every request is authenticated, and every route says which role it needs.

A program sends a bearer token. A browser sends a session's cookie, which scripts cannot read and other sites cannot
make it send (SameSite=Strict); a request by cookie that changes something must come from a page that we know.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, TypeVar

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import error_response
from app.api.session_cookies import SESSION_COOKIE, end_session, renewing
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.core.exceptions import ApplicationError, AuthenticationRequiredError, PermissionDeniedError
from app.domain.repositories import SessionRepository, TokenRepository
from app.domain.schemas.identity import Actor
from app.domain.services.sign_in import Recognised, authenticate_session
from app.domain.services.token import authenticate
from rosetta.enums import ActorKind, Role

PUBLIC_PATHS: Final = frozenset({"/health", "/health/live", "/api/v1/auth/login", "/api/v1/auth/first-sign-in"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_RANK: Final = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_DEVELOPER: Final = Actor(kind=ActorKind.SYSTEM, id=None, name="local developer", role=Role.ADMIN)

EndpointT = TypeVar("EndpointT", bound=Callable[..., Any])


def requires(role: Role) -> Callable[[EndpointT], EndpointT]:
    """Declares the least role that may call a route. A route without it answers nobody."""

    def declare(endpoint: EndpointT) -> EndpointT:
        endpoint.__dict__["required_role"] = role
        return endpoint

    return declare


def public(endpoint: EndpointT) -> EndpointT:
    """Declares that a route needs no token; its path must stand in PUBLIC_PATHS too."""
    endpoint.__dict__["required_role"] = None
    return endpoint


async def authorize(request: Request) -> None:
    """Dependency of the whole application: refuses unless the route declared a role and the actor has it.

    Raises PermissionDeniedError.
    """
    declared = getattr(request.scope["endpoint"], "__dict__", {})
    if "required_role" not in declared:
        raise PermissionDeniedError("This route declares no role, so nobody may call it.", code="ROLE_NOT_DECLARED")
    required: Role | None = declared["required_role"]
    if required is None and request.url.path in PUBLIC_PATHS:
        return
    actor: Actor = request.state.actor
    if required is None or _RANK[actor.role] < _RANK[required]:
        raise PermissionDeniedError(
            f"This needs the role {required}; this token has {actor.role}.",
            remedy="Ask an admin for a token with that role.",
            details={"required_role": required, "role": actor.role},
        )


class Credential(NamedTuple):
    """What a request signs in with."""

    is_session: bool
    text: str


def credential_of(request: Request) -> Credential | None:
    """The same for all spellings of a header, so that callers can be told apart by it; a token goes before a cookie."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return Credential(False, text.strip()) if scheme.lower() == "bearer" and text.strip() else None
    session = request.cookies.get(SESSION_COOKIE)
    return Credential(True, session) if session else None


class AuthenticationMiddleware:
    """Finds out who asks, before a route is chosen or a body is read; without an answer nothing else is said.

    An answer that lasts asks again now and then: `request.state.still_known` is false once that is over.
    """

    def __init__(self, app: ASGIApp, settings: Settings, database: DatabaseManager) -> None:
        self._app = app
        self._settings = settings
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PUBLIC_PATHS:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            known = await self._recognise(request)
        except ApplicationError as error:
            response = error_response(error)
            if isinstance(error, AuthenticationRequiredError) and SESSION_COOKIE in request.cookies:
                end_session(response)
            await response(scope, receive, send)
            return
        request.state.actor = known.actor
        request.state.still_known = partial(self._still_known, request, known.actor)
        if known.extended_until is not None:
            send = renewing(request, send, request.cookies[SESSION_COOKIE], known.extended_until)
        await self._app(scope, receive, send)

    async def _still_known(self, request: Request, actor: Actor) -> bool:
        try:
            return (await self._recognise(request, prolong=False)).actor == actor
        except ApplicationError:  # also where nobody can tell now: whoever may go on comes again
            return False

    async def _recognise(self, request: Request, *, prolong: bool = True) -> Recognised:
        if not self._settings.auth_enabled:
            _require_loopback(request)
            return Recognised(_DEVELOPER)
        shown = credential_of(request)
        if shown is not None and not shown.is_session:
            async with self._database.transaction() as session:
                return Recognised(await authenticate(TokenRepository(session), shown.text))
        known = await self._session_of(request, shown.text, prolong) if shown is not None else None
        if known is None:
            raise AuthenticationRequiredError(
                "A bearer token or a session is needed.",
                remedy="Sign in, or send the header `Authorization: Bearer <token>`; `rosetta token create` makes one.",
            )
        return known

    async def _session_of(self, request: Request, token: str, prolong: bool) -> Recognised | None:
        if request.method not in _SAFE_METHODS:
            require_known_origin(request, self._settings.cors_origins)
        async with self._database.transaction() as session:
            length = self._settings.session_length
            return await authenticate_session(SessionRepository(session), token, length, prolong=prolong)


def require_known_origin(request: Request, origins: Collection[str]) -> None:
    """Raises PermissionDeniedError unless the page that sends this is ours, or one that CORS_ORIGINS names."""
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin != own and origin not in origins:
        raise PermissionDeniedError(
            "This request does not come from a page of Rosetta's.",
            code="FOREIGN_ORIGIN",
            remedy="Open the dashboard by the address that it is served from, or name its origin in CORS_ORIGINS.",
        )


def _require_loopback(request: Request) -> None:
    """Without authentication only this machine is answered, and no web page that guessed a name for it."""
    client = request.client.host if request.client is not None else ""
    try:
        local = ip_address(client).is_loopback
    except ValueError:
        local = False
    if not local or request.url.hostname not in _LOOPBACK_NAMES:
        raise PermissionDeniedError(
            "With AUTH_ENABLED=false only this machine itself is answered.",
            code="LOOPBACK_ONLY",
            remedy="Turn authentication on, or call by http://127.0.0.1.",
        )
