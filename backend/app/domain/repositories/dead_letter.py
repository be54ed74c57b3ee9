"""The dead-letter ledger of one destination; the queries are shared with the `rosetta dlq` command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models import DlqRecord
from rosetta.dead_letters import actions, search
from rosetta.dead_letters.actions import Done, Edit
from rosetta.dead_letters.search import Criteria, Group, Neighbours, Place, Sum, Window
from rosetta.secrets import Keyring


class DeadLetterRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def summed(self, place: Place, criteria: Criteria) -> Sum:
        return await self.session.run_sync(search.summed, place, criteria)

    async def open_sums(self, pipeline_ids: Iterable[int]) -> dict[Place, Sum]:
        """What is open, for each destination of these pipelines that has something."""
        return await self.session.run_sync(search.open_sums, list(pipeline_ids))

    async def groups(self, place: Place, limit: int) -> tuple[list[Group], int]:
        """The largest groups of what is open, and how many there are in all."""
        return await self.session.run_sync(search.groups, place, limit)

    async def page(self, place: Place, criteria: Criteria, window: Window) -> tuple[Sequence[DlqRecord], int]:
        """Records without payloads, and the count of all that match."""
        return await self.session.run_sync(search.page, place, criteria, window)

    async def find(self, place: Place, record_id: int) -> DlqRecord | None:
        return await self.session.run_sync(search.find, place, record_id)

    async def neighbours(self, record: DlqRecord) -> tuple[Neighbours, Neighbours]:
        """What waits for the record, and what the record waits for."""
        return await self.session.run_sync(search.behind, record), await self.session.run_sync(search.ahead, record)

    async def ask_for_all(self, place: Place) -> Sum:
        return await self.session.run_sync(actions.ask_for_all, place)

    async def ask_for(self, place: Place, criteria: Criteria) -> Done:
        """Raises RecordMissingError or RecordClosedError."""
        return await self.session.run_sync(actions.ask_for, place, criteria)

    async def discard(self, place: Place, criteria: Criteria, reason: str, actor_id: int | None) -> Done:
        """Raises RecordMissingError or RecordClosedError."""
        return await self.session.run_sync(actions.discard, place, criteria, reason, actor_id)

    async def edit(self, place: Place, keyring: Keyring, wanted: Edit, actor_id: int | None) -> DlqRecord:
        """Raises RecordMissingError, RecordClosedError, SegmentNotEditableError, or another ConfigurationError."""
        return await self.session.run_sync(actions.edit, place, keyring, wanted, actor_id)
