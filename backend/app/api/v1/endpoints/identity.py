"""Who asks, and how people sign in and out."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from app.api.access import public, require_known_origin, requires
from app.api.deps import ActorDep, SettingsDep, SignInServiceDep, UserServiceDep
from app.api.session_cookies import SESSION_COOKIE, end_session, set_session
from app.core.config import Settings
from app.domain.schemas.identity import Actor, FirstSignIn, Login, PasswordChange, SessionView
from app.domain.services.sign_in import SignedIn
from rosetta.enums import Role

router = APIRouter(prefix="/auth", tags=["identity"])


@router.get("/me")
@requires(Role.VIEWER)
async def get_me(actor: ActorDep) -> Actor:
    return actor


@router.post("/login")
@public
async def login(
    body: Login, request: Request, response: Response, service: SignInServiceDep, settings: SettingsDep
) -> SessionView:
    """Begins a session: the answer sets a cookie that scripts cannot read."""
    _from_our_page(request, settings)
    return _begin(request, response, await service.by_password(body.email, body.password.get_secret_value()))


@router.post("/first-sign-in")
@public
async def first_sign_in(
    body: FirstSignIn, request: Request, response: Response, service: SignInServiceDep, settings: SettingsDep
) -> SessionView:
    """Begins a session with the token of a one-time link; `rosetta sign-in-link` makes one."""
    _from_our_page(request, settings)
    return _begin(request, response, await service.by_link(body.token))


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.VIEWER)
async def logout(request: Request, response: Response, service: SignInServiceDep, actor: ActorDep) -> None:
    """Ends the session of the cookie; for a bearer token nothing changes."""
    await service.end(request.cookies.get(SESSION_COOKIE), actor)
    end_session(response)


@router.put("/password", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.VIEWER)
async def change_password(body: PasswordChange, service: UserServiceDep, actor: ActorDep) -> None:
    """Sets the own password; all sessions of this user end, this one too."""
    await service.change_own_password(actor, body)


def _from_our_page(request: Request, settings: Settings) -> None:
    """A browser may sign in from our pages only, so that no other site can sign it in as somebody else."""
    if "origin" in request.headers:
        require_known_origin(request, settings.cors_origins)


def _begin(request: Request, response: Response, signed_in: SignedIn) -> SessionView:
    set_session(request, response, signed_in.token, signed_in.expires_at)
    return SessionView(actor=signed_in.actor, expires_at=signed_in.expires_at)
