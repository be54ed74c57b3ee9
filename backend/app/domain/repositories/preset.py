"""Presets of a source."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.core.exceptions import EntityNotFoundError
from app.domain.models import Preset
from app.domain.repositories.base import BaseRepository, contains
from app.domain.schemas.preset import PresetQuery


class PresetRepository(BaseRepository[Preset]):
    model = Preset
    entity_type = "preset"
    sortable = ("id", "name", "created_at", "updated_at")

    async def matching(self, source_id: int, query: PresetQuery) -> tuple[Sequence[Preset], int]:
        return await self.page(query, [Preset.source_id == source_id, *contains(Preset.name, query.name)])

    async def of(self, source_id: int, preset_id: int) -> Preset:
        """This preset of this source, locked. Raises EntityNotFoundError."""
        found = await self.session.scalar(
            select(Preset).where(Preset.id == preset_id, Preset.source_id == source_id).with_for_update()
        )
        if found is None:
            raise EntityNotFoundError(self.entity_type, preset_id)
        return found
