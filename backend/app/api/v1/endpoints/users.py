"""Users, for administrators."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import PathId, UserServiceDep
from app.domain.schemas.base import Page
from app.domain.schemas.identity import LinkView, UserCreate, UserQuery, UserUpdate, UserView
from rosetta.enums import Role

router = APIRouter(prefix="/users", tags=["identity"])


@router.get("")
@requires(Role.ADMIN)
async def list_users(query: Annotated[UserQuery, Query()], service: UserServiceDep) -> Page[UserView]:
    return Page[UserView].of(*await service.page(query), query)


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.ADMIN)
async def create_user(body: UserCreate, service: UserServiceDep) -> UserView:
    return UserView.model_validate(await service.create(body))


@router.get("/{user_id}")
@requires(Role.ADMIN)
async def get_user(user_id: PathId, service: UserServiceDep) -> UserView:
    return UserView.model_validate(await service.get(user_id))


@router.put("/{user_id}")
@requires(Role.ADMIN)
async def change_user(user_id: PathId, body: UserUpdate, service: UserServiceDep) -> UserView:
    """Changes what the body names; all sessions of this user end."""
    return UserView.model_validate(await service.change(user_id, body))


@router.delete("/{user_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.ADMIN)
async def delete_user(user_id: PathId, service: UserServiceDep) -> None:
    """Ends all sessions and tokens of this user. The last active administrator cannot be deleted."""
    await service.delete(user_id)


@router.post("/{user_id}/sign-in-link", status_code=HTTPStatus.CREATED)
@requires(Role.ADMIN)
async def create_sign_in_link(user_id: PathId, service: UserServiceDep) -> LinkView:
    """A one-time link's token for this user, shown this once; valid for a day."""
    token, expires_at = await service.link(user_id)
    return LinkView(token=token, expires_at=expires_at)
