"""Who asks, and the tokens they ask with."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, Field

from app.domain.schemas.base import Body, Name, PageRequest, View
from rosetta.enums import ActorKind, Role


class Actor(View):
    """Who makes a request; also the answer of /auth/me."""

    kind: ActorKind
    id: int | None
    name: str
    role: Role


class TokenCreate(Body):
    name: Name
    role: Role = Role.VIEWER
    expires_at: AwareDatetime | None = Field(default=None, description="left out: never")


class TokenView(View):
    id: int
    name: str
    token_prefix: str
    role: Role
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class TokenCreated(TokenView):
    token: str = Field(description="shown this once; only its hash is kept")


class TokenQuery(PageRequest):
    role: Role | None = None
    name: str | None = Field(default=None, max_length=200, description="part of the name, in any case")
