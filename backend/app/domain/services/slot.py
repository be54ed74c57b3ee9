"""The replication slots that Rosetta made at a source; pipelines make theirs when they first start."""

from __future__ import annotations

import re
from collections.abc import Collection

from app.core.exceptions import ConflictError, EntityNotFoundError
from app.domain.ports import Slot, SourceAddress, SourceDatabase
from app.domain.repositories import PipelineRepository
from app.domain.schemas.inspection import SlotsView, SlotView
from app.domain.services.audit import AuditTrail


class SlotService:
    def __init__(self, pipelines: PipelineRepository, database: SourceDatabase, audit: AuditTrail) -> None:
        self._pipelines = pipelines
        self._database = database
        self._audit = audit

    async def list_slots(self, address: SourceAddress) -> SlotsView:
        """Our slots in the source's database, each with its pipeline."""
        return SlotsView(slots=await self._with_pipelines(address))

    async def drop_orphans(self, address: SourceAddress, names: Collection[str]) -> SlotsView:
        """Drops inactive slots without a pipeline: those named, or all.

        Raises EntityNotFoundError for a name that is no slot of ours, ConflictError for one in use.
        """
        slots = await self._with_pipelines(address)
        _check_droppable(slots, names)
        wanted = [slot.name for slot in slots if slot.orphan and not slot.active and (not names or slot.name in names)]
        await self._audit.record("source.drop_slots", address.source_id, slots=wanted)
        dropped = [name for name in wanted if await self._database.drop_slot(address, name)]
        return SlotsView(slots=[slot for slot in slots if slot.name not in dropped], dropped=dropped)

    async def _with_pipelines(self, address: SourceAddress) -> list[SlotView]:
        slots = await self._database.slots(address)
        by_slot = {slot.name: _pipeline_id(slot, address.slot_prefix) for slot in slots}
        stored = await self._pipelines.slot_names()
        ours = {name: stored.get(name, number) for name, number in by_slot.items() if number is not None}
        names = await self._pipelines.names_of(list(ours.values()))
        return [_view(slot, ours[slot.name], names.get(ours[slot.name])) for slot in slots if slot.name in ours]


def _pipeline_id(slot: Slot, prefix: str) -> int | None:
    """The pipeline's id in a name that is ours; None for any other name."""
    found = re.fullmatch(re.escape(prefix) + r"(\d{1,18})", slot.name)
    return int(found[1]) if found else None


def _view(slot: Slot, pipeline_id: int, pipeline_name: str | None) -> SlotView:
    return SlotView(
        name=slot.name,
        pipeline_id=pipeline_id if pipeline_name is not None else None,
        pipeline_name=pipeline_name,
        orphan=pipeline_name is None,
        active=slot.active,
        wal_status=slot.wal_status,
        retained_bytes=slot.retained_bytes,
        confirmed_flush_lsn=slot.confirmed_flush_lsn,
    )


def _check_droppable(slots: list[SlotView], names: Collection[str]) -> None:
    by_name = {slot.name: slot for slot in slots}
    for name in names:
        slot = by_name.get(name)
        if slot is None:
            raise EntityNotFoundError("replication slot", name)
        if slot.active or not slot.orphan:
            raise ConflictError(
                f"Slot {name} is in use{f' by pipeline {slot.pipeline_name}' if slot.pipeline_name else ''}.",
                code="SLOT_IN_USE",
                remedy="Delete the pipeline: its slot goes with it.",
            )
