"""Bodies and answers of tags: names that group table syncs."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.domain.schemas.base import Body, Name, PageRequest, View


class TagCreate(Body):
    name: Name
    color: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$", examples=["#2f6fed"])


class TagView(View):
    id: int
    name: str
    color: str | None
    created_at: datetime
    table_syncs: int = Field(description="how many table syncs have it, over all pipelines")


class TagQuery(PageRequest):
    sort: str | None = Field(default="name", max_length=64)
    name: str | None = Field(default=None, max_length=200, description="part of the name, in any case")
