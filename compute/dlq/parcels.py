"""Batches on their way into the ledger and back: several become one where the result at the target is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    """A batch on its way into the ledger.

    Attributes:
        served: the table syncs, by source table, that it goes to.
        contiguous: no other work stands between it and the batch before.
    """

    batch: ChangeBatch
    served: Served
    contiguous: bool = True


def joined(parcels: Iterable[Parcel], limit_bytes: int) -> Iterator[Parcel]:
    """The same stream in fewer parcels of at most about `limit_bytes`, each ending where one of `parcels` ends.

    For the ledger. Only batches are joined that may be applied again after some of them were: the writer may be at
    one of them this moment. Nothing is joined across other work, or where tables come or go.
    """
    return _runs(parcels, limit_bytes, lambda last, one: _repeatable(last) and _repeatable(one))


def _repeatable(batch: ChangeBatch) -> bool:
    """Whether the rows' versions alone make a second application do nothing."""
    return not batch.truncated and all(
        changes.key and not changes.has_unchanged and not changes.has_moved for changes in batch.tables
    )


def _continues(last: ChangeBatch, batch: ChangeBatch) -> bool:
    """Whether both give the same in one target transaction as in two.

    A batch empties its tables first, and what a change leaves out (unchanged TOAST values, also of a moved key) is in
    the target's row as it was before the batch.
    """
    if last.truncated or batch.truncated or any(changes.has_moved for changes in last.tables):
        return False
    return not any(changes.has_unchanged or changes.has_moved for changes in batch.tables)


def _runs(
    parcels: Iterable[Parcel], limit_bytes: int, together: Callable[[ChangeBatch, ChangeBatch], bool]
) -> Iterator[Parcel]:
    run: list[Parcel] = []
    size = 0
    for parcel in parcels:
        size += parcel.batch.byte_count
        if run:
            last = run[-1]
            fits = size <= limit_bytes and parcel.contiguous and parcel.served == last.served
            if not (fits and together(last.batch, parcel.batch)):
                yield _join(run)
                run, size = [], parcel.batch.byte_count
        run.append(parcel)
    if run:
        yield _join(run)


def _join(run: list[Parcel]) -> Parcel:
    if len(run) == 1:
        return run[0]
    batches = [parcel.batch for parcel in run]
    shapes: dict[TableId, list[list[TableChanges]]] = {}
    for batch in batches:
        for changes in batch.tables:
            known = shapes.setdefault(changes.table, [])
            if known and (known[-1][-1].columns, known[-1][-1].key) == (changes.columns, changes.key):
                known[-1].append(changes)
            else:
                known.append([changes])
    times = [batch.commit_time for batch in batches if batch.commit_time is not None]
    batch = replace(
        batches[-1],
        start=batches[0].start,
        tables=tuple(_concatenate(pieces) for known in shapes.values() for pieces in known),
        watermarks=(),
        commit_time=max(times, default=None),
    )
    return Parcel(batch, run[0].served, run[0].contiguous)


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


def replayed(rows: Sequence[OpenRow], sequence: int, limit_bytes: int) -> Iterator[ChangeBatch]:
    """The batches that segments were made of, in the order of `rows`, joined where that gives the same.

    None of them may have been applied. They carry `sequence`, because their own belonged to a stream that has moved on.
    """
    for parcel in _runs((Parcel(batch, {}) for batch in _batches(rows, sequence)), limit_bytes, _continues):
        yield parcel.batch


def _batches(rows: Sequence[OpenRow], sequence: int) -> Iterator[ChangeBatch]:
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
