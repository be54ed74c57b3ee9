"""API tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import PathId, TokenServiceDep
from app.domain.schemas.base import Page
from app.domain.schemas.identity import TokenCreate, TokenCreated, TokenQuery, TokenView
from rosetta.enums import Role

router = APIRouter(prefix="/tokens", tags=["identity"])


@router.get("")
@requires(Role.ADMIN)
async def list_tokens(query: Annotated[TokenQuery, Query()], service: TokenServiceDep) -> Page[TokenView]:
    return Page[TokenView].of(*await service.page(query), query)


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.ADMIN)
async def create_token(body: TokenCreate, service: TokenServiceDep) -> TokenCreated:
    """The answer shows the token's text, this once."""
    token, text = await service.issue(body)
    return TokenCreated(**TokenView.model_validate(token).model_dump(), token=text)


@router.delete("/{token_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.ADMIN)
async def revoke_token(token_id: PathId, service: TokenServiceDep) -> None:
    await service.revoke(token_id)
