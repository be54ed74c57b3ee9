"""How the tables of a source have changed their shape."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AliasPath, BaseModel, Field

from app.domain.schemas.base import Identifier, PageRequest, View
from rosetta.enums import SeenBy
from rosetta.types.evolution import ChangeKind


class SchemaChangeView(BaseModel):
    """One difference to the version before; `text` says it in words."""

    kind: ChangeKind
    column: str | None = None
    before: str | None = None
    after: str | None = None
    text: str


class SchemaVersionView(View):
    """A table as it was from then on. `changes` is empty for the first version that was seen."""

    id: int
    source_id: int
    schema_name: str
    table_name: str
    version: int
    definition: dict[str, Any]
    changes: list[SchemaChangeView] = Field(validation_alias=AliasPath("diff", "changes"), default_factory=list)
    seen_by: SeenBy
    created_at: datetime


class SchemaVersionQuery(PageRequest):
    """Which versions, the newest first unless sorted otherwise."""

    sort: str | None = Field(default="-id", max_length=64)
    schema_name: Identifier | None = None
    table_name: str | None = Field(default=None, max_length=63, description="part of the name, in any case")
    first: bool = Field(default=False, description="also the first version of each table, which changes nothing")
