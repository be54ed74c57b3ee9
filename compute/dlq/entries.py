"""Refused changes, and what waits behind them, as rows of the ledger to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from compute.core.batch import ChangeBatch, TableChanges
from compute.core.lines import Line, lines
from compute.destinations.base import Refusal, TableTarget, TableWrite
from compute.dlq.keys import KeyHasher
from compute.dlq.records import TRUNCATE_PAYLOAD, Entry, payload_of
from rosetta.dead_letters import Payload
from rosetta.enums import DlqKind, DlqOperation, ErrorClass, SyncMode
from rosetta.errors import RosettaError
from rosetta.lsn import Lsn, StreamPosition
from rosetta.types import TableSchema

BEHIND_CODE: Final = "PARKED_BEHIND"
_BEHIND = "an older change of this row is parked; this one is tried after it"
_HELD_CODE: Final = "TABLE_HELD"
_HELD = "the table is refused as it is; its changes wait, in order, until it is taken again"
_OPERATIONS: Final = {"c": DlqOperation.INSERT, "u": DlqOperation.UPDATE, "d": DlqOperation.DELETE}
START: Final = StreamPosition(Lsn(0))


@dataclass(frozen=True, slots=True)
class Divided:
    """A batch's part for this destination: what is to be written, and what waits behind something parked.

    `parts` numbers `truncated` and then `writes` within the batch, the same however often the batch comes.
    """

    truncated: tuple[TableTarget, ...]
    writes: tuple[TableWrite, ...]
    parts: tuple[int, ...] = ()
    entries: tuple[Entry, ...] = ()


class Entries:
    """Makes the entries of one destination."""

    def __init__(self, destination_id: int, hasher: KeyHasher) -> None:
        self._destination_id = destination_id
        self._hasher = hasher

    def refused(self, refusal: Refusal) -> list[Entry]:
        """A RECORD for each single change that was refused."""
        return [
            self._record(one.target, one.changes, lines(one.changes), one.error.code, one.error.message)
            for one in refusal.records
        ]

    def hold(
        self,
        target: TableTarget,
        error: RosettaError,
        divided: Divided,
        batch: ChangeBatch | None,
        reached: StreamPosition | None,
    ) -> list[Entry]:
        """The entries with which a table begins to be held: a mark, whose attempts are the table's, and its changes."""
        marker = Entry(
            self._destination_id,
            target.sync_id,
            target.source,
            DlqKind.SEGMENT,
            ErrorClass.DATA,
            reached or START,
            Payload(),
            error.code,
            error.message,
        )
        entries = [marker]
        if batch is None:
            return entries
        payloads = [(one, TRUNCATE_PAYLOAD) for one in divided.truncated]
        payloads += [(write.target, payload_of(write.changes)) for write in divided.writes]
        for part, (one, payload) in zip(divided.parts, payloads, strict=True):
            if one.sync_id == target.sync_id:
                entries.append(self.segment(batch, target, payload, part))
        return entries

    def _record(
        self,
        target: TableTarget,
        changes: TableChanges,
        of: Sequence[Line],
        code: str,
        message: str,
        *,
        behind: bool = False,
    ) -> Entry:
        newest = max(of, key=lambda line: line.version)
        fields = newest.raw.split(b"\t", 5)
        append = target.mode is SyncMode.APPEND
        lsn = Lsn(newest.lsn)
        return Entry(
            destination_id=self._destination_id,
            sync_id=target.sync_id,
            table=target.source,
            kind=DlqKind.RECORD,
            error_class=ErrorClass.DATA,
            position=StreamPosition(lsn, lsn, newest.seq),
            payload=payload_of(changes),
            error_code=code,
            error_message=message,
            operation=_OPERATIONS[newest.operation],
            key_hashes=() if append else self._hasher.hashes(keyed(target.schema, changes), of),
            source_xid=int(fields[3]),
            commit_time=int(fields[4]) / 1_000_000,
            behind=behind,
        )

    def behind(self, target: TableTarget, changes: TableChanges, of: Sequence[Line]) -> Entry:
        """A RECORD of `changes`, which are the lines `of`, that waits for an older one of its key."""
        return self._record(target, changes, of, BEHIND_CODE, _BEHIND, behind=True)

    def segment(self, batch: ChangeBatch, target: TableTarget, payload: Payload, part: int) -> Entry:
        """A held table's part of a batch."""
        return Entry(
            destination_id=self._destination_id,
            sync_id=target.sync_id,
            table=target.source,
            kind=DlqKind.SEGMENT,
            error_class=ErrorClass.DATA,
            position=batch.end,
            payload=payload,
            error_code=_HELD_CODE,
            error_message=_HELD,
            part=part,
            operation=DlqOperation.TRUNCATE if payload.truncate else None,
            commit_time=batch.commit_time,
            behind=True,
        )


def keyed(schema: TableSchema, changes: TableChanges) -> TableSchema:
    """The shape of the table with the key that `changes` were made by."""
    return schema if schema.key == changes.key else replace(schema, key=changes.key)
