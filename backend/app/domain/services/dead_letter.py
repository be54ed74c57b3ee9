"""The dead-letter queue: what is parked for a destination, and what a person decides about it.

Nothing is written to a target here: compute does, when it is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from app.core.exceptions import ConflictError, EntityNotFoundError, InvalidRequestError
from app.domain.models import DlqRecord
from app.domain.repositories import DeadLetterRepository, PipelineDestinationRepository, PipelineRepository
from app.domain.schemas.dead_letter import (
    DiscardRequest,
    DiscardView,
    DlqDetailView,
    DlqEdit,
    DlqFilter,
    DlqGroups,
    DlqGroupView,
    DlqPage,
    DlqQuery,
    DlqView,
    NeighboursView,
    RecoverRequest,
    RecoverView,
    Selection,
)
from app.domain.schemas.identity import Actor
from app.domain.services.audit import AuditTrail
from rosetta.dead_letters.actions import Edit, RecordClosedError, RecordMissingError, SegmentNotEditableError
from rosetta.dead_letters.keys import searched_hashes
from rosetta.dead_letters.search import OPEN, Criteria, Place, Sum, Window
from rosetta.dead_letters.showing import Contents, contents_of, waits_behind
from rosetta.enums import DesiredStatus, DlqState, Role
from rosetta.errors import ConfigurationError, SecretError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn
from rosetta.secrets import Keyring

ENTITY = "dead-letter record"
_SORTS = ("id", "-id")


class DeadLetterService:
    def __init__(self, records: DeadLetterRepository, keyring: Keyring, audit: AuditTrail, actor: Actor) -> None:
        self._records = records
        self._pipelines = PipelineRepository(records.session)
        self._joins = PipelineDestinationRepository(records.session)
        self._keyring = keyring
        self._audit = audit
        self._actor = actor

    async def count(self, pipeline_id: int, destination_id: int) -> int:
        """How many changes are open. Raises EntityNotFoundError when the pipeline does not feed the destination."""
        return (await self._records.summed(await self._place(pipeline_id, destination_id), Criteria())).changes

    async def groups(self, pipeline_id: int, destination_id: int, limit: int) -> DlqGroups:
        """What is open, by table and error. Raises EntityNotFoundError as `count` does."""
        found, total = await self._records.groups(await self._place(pipeline_id, destination_id), limit)
        return DlqGroups(items=[DlqGroupView.model_validate(group) for group in found], total=total)

    async def page(self, pipeline_id: int, destination_id: int, query: DlqQuery) -> DlqPage:
        """Raises EntityNotFoundError, and InvalidRequestError for an order or a filter that cannot be had."""
        if query.sort not in {None, *_SORTS}:
            raise InvalidRequestError(
                "Parked records are listed in the order in which they were parked.",
                code="UNKNOWN_SORT_FIELD",
                remedy=f"Sort by one of: {', '.join(_SORTS)}.",
            )
        place = await self._place(pipeline_id, destination_id)
        criteria = self._criteria(query, tuple(query.state or OPEN))
        window = Window(query.limit, query.offset, query.cursor, newest_first=query.sort == "-id")
        rows, total = await self._records.page(place, criteria, window)
        items = [DlqView.model_validate(_shown(row)) for row in rows]
        more = rows[-1].id if len(rows) == query.limit else None
        return DlqPage(items=items, total=total, limit=query.limit, offset=query.offset, next_cursor=more)

    async def inspect(self, pipeline_id: int, destination_id: int, record_id: int, changes: int) -> DlqDetailView:
        """A record with its first changes, with their values unless a viewer asks. Raises EntityNotFoundError."""
        place = await self._place(pipeline_id, destination_id)
        record = await self._records.find(place, record_id)
        if record is None:
            raise _missing(record_id)
        # opening a segment of many megabytes must not stop the event loop
        contents = await asyncio.to_thread(contents_of, record, self._keyring, changes)
        return await self._detail(record, contents)

    async def edit(self, pipeline_id: int, destination_id: int, record_id: int, body: DlqEdit) -> DlqDetailView:
        """Mends values of a record and asks for it to be tried again; the audit has the columns, not the values.

        Raises EntityNotFoundError, ConflictError for a record that is closed or a segment, InvalidRequestError for a
        column that it does not have.
        """
        place = await self._place(pipeline_id, destination_id)
        wanted = Edit(record_id, body.values, body.change)
        with _translated():
            record = await self._records.edit(place, self._keyring, wanted, self._actor.id)
        await self._record("dlq.edit", place, record_id=record_id, columns=sorted(body.values), change=body.change)
        contents = await asyncio.to_thread(contents_of, record, self._keyring, record.row_count)
        return await self._detail(record, contents)

    async def recover(self, pipeline_id: int, destination_id: int, body: RecoverRequest) -> RecoverView:
        """Asks compute to try records again, now. Raises EntityNotFoundError, ConflictError for a closed record."""
        place = await self._place(pipeline_id, destination_id)
        if body.ids or body.filter:
            with _translated():
                asked = await self._records.ask_for(place, self._selected(body))
            total, complete = asked.done, asked.complete
        else:
            total, complete = await self._records.ask_for_all(place), True
        await self._record("dlq.recover", place, records=total.records, **_said(body))
        warnings = await self._warnings(place)
        return RecoverView(asked=total.records, changes=total.changes, complete=complete, warnings=warnings)

    async def discard(self, pipeline_id: int, destination_id: int, body: DiscardRequest) -> DiscardView:
        """Gives records up for good. Raises EntityNotFoundError, ConflictError for a record that is closed."""
        place = await self._place(pipeline_id, destination_id)
        with _translated():
            done = await self._records.discard(place, self._selected(body), body.reason, self._actor.id)
        gone = done.done
        await self._record("dlq.discard", place, records=gone.records, reason=body.reason, **_said(body))
        return DiscardView(discarded=gone.records, changes=gone.changes, complete=done.complete)

    async def open_sums(self, pipeline_ids: Sequence[int]) -> dict[Place, Sum]:
        """What is parked, for each destination of these pipelines that has something."""
        return await self._records.open_sums(pipeline_ids)

    async def _place(self, pipeline_id: int, destination_id: int) -> Place:
        await self._joins.plain(pipeline_id, destination_id)
        return Place(pipeline_id, destination_id)

    def _selected(self, body: Selection) -> Criteria:
        if body.filter is not None:
            return self._criteria(body.filter, OPEN)
        return Criteria(ids=tuple(dict.fromkeys(body.ids)))

    def _criteria(self, wanted: DlqQuery | DlqFilter, states: tuple[DlqState, ...]) -> Criteria:
        hashes = None
        if wanted.key is not None:
            if wanted.table_name is None:
                raise InvalidRequestError(
                    "A key belongs to a table.", code="KEY_WITHOUT_TABLE", remedy="Name the table by `table_name` too."
                )
            table = TableId(wanted.schema_name or "public", wanted.table_name)
            with _translated():
                hashes = searched_hashes(self._keyring, table, wanted.key)
        return Criteria(
            schema_name=wanted.schema_name,
            table_name=wanted.table_name,
            error_class=wanted.error_class,
            error_code=wanted.error_code,
            kind=wanted.kind,
            states=states,
            key_hashes=hashes,
        )

    async def _detail(self, record: DlqRecord, contents: Contents) -> DlqDetailView:
        behind, ahead = await self._records.neighbours(record)
        hidden = self._actor.role is Role.VIEWER
        changes = [
            {
                "operation": change.operation,
                "lsn": Lsn(change.lsn),
                "values": None if hidden else dict(change.values),
                "unchanged": sorted(change.unchanged),
            }
            for change in contents.changes
        ]
        more = {
            "columns": record.columns or [],
            "key_columns": contents.key,
            "truncates": contents.truncates,
            "changes": changes,
            "behind": NeighboursView(count=behind.count, ids=list(behind.ids)),
            "ahead": NeighboursView(count=ahead.count, ids=list(ahead.ids)),
        }
        return DlqDetailView.model_validate(_shown(record) | more)

    async def _warnings(self, place: Place) -> list[str]:
        found = []
        if (await self._pipelines.get(place.pipeline_id)).status is DesiredStatus.PAUSE:
            found.append("The pipeline is paused: records are tried again once it runs.")
        if (await self._joins.plain(place.pipeline_id, place.destination_id)).detached_at is not None:
            found.append("The destination is detached: only a resync of its tables brings it up to date.")
        return found

    async def _record(self, action: str, place: Place, **details: Any) -> None:
        await self._audit.record(action, f"{place.pipeline_id}/{place.destination_id}", **details)


def _shown(row: DlqRecord) -> dict[str, Any]:
    """The row's columns but the payload, which a list has not read."""
    shown = {name: getattr(row, name) for name in DlqView.model_fields if name != "waits_behind"}
    behind = waits_behind(row)
    return shown | {"waits_behind": behind, "next_attempt_at": None if behind else row.next_attempt_at}


def _said(body: Selection) -> dict[str, Any]:
    """The selection as the audit log keeps it: a key is a row value, so it is only said that there was one."""
    chosen = body.filter.model_dump(mode="json", exclude_none=True, exclude={"key"}) if body.filter else {}
    if body.filter is not None and body.filter.key is not None:
        chosen["by_key"] = True
    return {"ids": body.ids} if body.ids else {"filter": chosen} if body.filter else {"all": True}


@contextmanager
def _translated() -> Iterator[None]:
    """The API's own errors instead of those that it shares with the command."""
    try:
        yield
    except RecordMissingError as error:
        raise _missing(error.record_id) from None
    except (RecordClosedError, SegmentNotEditableError) as error:
        raise ConflictError(error.message, code=error.code, remedy=error.remedy) from None
    except SecretError:
        raise
    except ConfigurationError as error:
        remedy = error.remedy or "Look at the record, and name only values of its changes that are not part of the key."
        raise InvalidRequestError(error.message, code=error.code, remedy=remedy) from None


def _missing(record_id: int) -> EntityNotFoundError:
    return EntityNotFoundError(ENTITY, record_id)
