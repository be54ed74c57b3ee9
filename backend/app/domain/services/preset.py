"""Presets: selections of a source's tables, saved to be used again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain.models import Preset
from app.domain.repositories import PresetRepository, SourceRepository
from app.domain.schemas.preset import PresetCreate, PresetQuery, PresetUpdate
from app.domain.schemas.table_sync import TableSyncCreate
from app.domain.services.audit import AuditTrail


class PresetService:
    def __init__(self, presets: PresetRepository, audit: AuditTrail) -> None:
        self._presets = presets
        self._sources = SourceRepository(presets.session)
        self._audit = audit

    async def page(self, source_id: int, query: PresetQuery) -> tuple[Sequence[Preset], int]:
        """Raises EntityNotFoundError when there is no such source."""
        await self._sources.require([source_id])
        return await self._presets.matching(source_id, query)

    async def create(self, source_id: int, body: PresetCreate) -> Preset:
        """Raises EntityNotFoundError or DuplicateEntityError."""
        await self._sources.require([source_id])
        preset = await self._presets.add(
            Preset(source_id=source_id, name=body.name, definition=_definition(body.tables))
        )
        await self._audit.record("preset.create", preset.id, name=preset.name, source_id=source_id)
        return preset

    async def update(self, source_id: int, preset_id: int, body: PresetUpdate) -> Preset:
        """Raises EntityNotFoundError or DuplicateEntityError."""
        preset = await self._presets.of(source_id, preset_id)
        preset.name = body.name or preset.name
        if body.tables is not None:
            preset.definition = _definition(body.tables)
        await self._presets.flush()
        await self._audit.record("preset.update", preset_id, name=preset.name)
        return preset

    async def delete(self, source_id: int, preset_id: int) -> None:
        """Raises EntityNotFoundError."""
        preset = await self._presets.of(source_id, preset_id)
        await self._presets.delete(preset)
        await self._audit.record("preset.delete", preset_id, name=preset.name)


def _definition(tables: Sequence[TableSyncCreate]) -> dict[str, Any]:
    return {"tables": [table.model_dump(mode="json") for table in tables]}
