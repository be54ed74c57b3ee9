"""Batches on their way into the ledger and back: several become one where the result at the target is the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from compute.core.batch import ChangeBatch, TableChanges
from compute.dlq.records import TRUNCATE_PAYLOAD, Entry, OpenRow, payload_of
from rosetta.enums import DlqKind, DlqOperation, ErrorClass
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition

Served = Mapping[TableId, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch, and the table syncs by source table that it goes to."""

    batch: ChangeBatch
    served: Served


def joined(batches: Iterable[ChangeBatch], limit_bytes: int) -> Iterator[ChangeBatch]:
    """The same stream in fewer batches of at most about `limit_bytes`, each ending where one of `batches` ends.

    A TRUNCATE begins a batch, because a batch empties its tables first. So does a change that leaves out its unchanged
    TOAST values or moves a key: what it needs is in the target's row as it was before its own batch.
    """
    run: list[ChangeBatch] = []
    size, moved = 0, set[TableId]()
    for batch in batches:
        fits = size + batch.byte_count <= limit_bytes and not batch.truncated
        if run and not (fits and all(_stands_alone(changes, moved) for changes in batch.tables)):
            yield _join(run)
            run, size, moved = [], 0, set()
        run.append(batch)
        size += batch.byte_count
        moved |= {changes.table for changes in batch.tables if changes.has_moved}
    if run:
        yield _join(run)


def _stands_alone(changes: TableChanges, moved: set[TableId]) -> bool:
    return not changes.has_unchanged and not changes.has_moved and changes.table not in moved


def _join(run: list[ChangeBatch]) -> ChangeBatch:
    if len(run) == 1:
        return run[0]
    shapes: dict[TableId, list[list[TableChanges]]] = {}
    for batch in run:
        for changes in batch.tables:
            known = shapes.setdefault(changes.table, [])
            if known and (known[-1][-1].columns, known[-1][-1].key) == (changes.columns, changes.key):
                known[-1].append(changes)
            else:
                known.append([changes])
    times = [batch.commit_time for batch in run if batch.commit_time is not None]
    return replace(
        run[-1],
        start=run[0].start,
        truncated=run[0].truncated,
        tables=tuple(_concatenate(pieces) for known in shapes.values() for pieces in known),
        watermarks=(),
        commit_time=max(times, default=None),
    )


def _concatenate(pieces: list[TableChanges]) -> TableChanges:
    if len(pieces) == 1:
        return pieces[0]
    return replace(
        pieces[0],
        row_count=sum(piece.row_count for piece in pieces),
        data=b"".join(piece.data for piece in pieces),
        folded=False,
        has_deletes=any(piece.has_deletes for piece in pieces),
        has_unchanged=any(piece.has_unchanged for piece in pieces),
        has_moved=any(piece.has_moved for piece in pieces),
    )


def entries(parcel: Parcel, destination_id: int, code: str, message: str) -> Iterator[Entry]:
    """The segments of a parcel: one for each table and sync that is served; `code` and `message` say why."""
    batch = parcel.batch
    parts: list[tuple[TableId, TableChanges | None]] = [(table, None) for table in batch.truncated]
    parts += [(changes.table, changes) for changes in batch.tables]
    for number, (table, changes) in enumerate(parts):
        payload = TRUNCATE_PAYLOAD if changes is None else payload_of(changes)
        for sync_id in parcel.served.get(table, ()):
            yield Entry(
                destination_id=destination_id,
                sync_id=sync_id,
                table=table,
                kind=DlqKind.SEGMENT,
                error_class=ErrorClass.OUTAGE,
                position=batch.end,
                payload=payload,
                error_code=code,
                error_message=message,
                part=number,
                operation=DlqOperation.TRUNCATE if changes is None else None,
                commit_time=batch.commit_time,
            )


def replayed(rows: Sequence[OpenRow], sequence: int) -> Iterator[ChangeBatch]:
    """The batches that segments were made of, in the order of `rows`; they carry `sequence`."""
    for position, group in groupby(rows, key=lambda row: row.position):
        parts = {row.part: row for row in group}  # a part that goes to several syncs is the same for each
        ordered = [parts[number] for number in sorted(parts)]
        times = [row.commit_time for row in ordered if row.commit_time is not None]
        yield ChangeBatch(
            sequence=sequence,
            start=StreamPosition(position.commit_lsn),
            end=position,
            truncated=tuple(row.table for row in ordered if row.payload.truncate),
            tables=tuple(row.changes() for row in ordered if not row.payload.truncate),
            commit_time=max(times, default=None),
        )
