"""Bodies and answers of a source's presets: saved selections of tables."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import AliasPath, Field

from app.domain.schemas.base import Body, Name, PageRequest, Stamped
from app.domain.schemas.table_sync import TableSyncCreate


class PresetCreate(Body):
    read_only: ClassVar[frozenset[str]] = frozenset({"id", "created_at", "updated_at", "source_id"})

    name: Name
    tables: list[TableSyncCreate] = Field(min_length=1, max_length=10_000)


class PresetUpdate(Body):
    read_only: ClassVar[frozenset[str]] = PresetCreate.read_only

    name: Name | None = None
    tables: list[TableSyncCreate] | None = Field(default=None, min_length=1, max_length=10_000)


class PresetView(Stamped):
    source_id: int
    name: str
    tables: list[Any] = Field(validation_alias=AliasPath("definition", "tables"), default_factory=list)


class PresetQuery(PageRequest):
    name: str | None = Field(default=None, max_length=200, description="part of the name, in any case")
