"""Batches on their way into the ledger and back: several become one where the result at the target is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from compute.core.batch import ChangeBatch, MadeFor, TableChanges
from compute.dlq.records import TRUNCATE_PAYLOAD, Entry, OpenRow, payload_of
from compute.transforms import RowRules
from rosetta.dead_letters import Payload
from rosetta.enums import DlqKind, DlqOperation, ErrorClass
from rosetta.errors import OutageError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition

Served = Mapping[TableId, tuple[int, ...]]
Rules = Mapping[int, RowRules]  # of those table syncs that have any
# Stands for the rules of changes that were not kept, because the rules did not fit them.
UNFIT: Final = "unfit"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch on its way into the ledger.

    Attributes:
        served: the table syncs, by source table, that it goes to.
        contiguous: no other work stands between it and the batch before.
        rules: what is done to it on the way to some of these syncs.
    """

    batch: ChangeBatch
    served: Served
    contiguous: bool = True
    rules: Rules = field(default_factory=dict)


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
            same = parcel.served == last.served and parcel.rules == last.rules
            fits = size <= limit_bytes and parcel.contiguous and same
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
    shapes: dict[tuple[TableId, MadeFor | None], list[list[TableChanges]]] = {}
    for batch in batches:
        for changes in batch.tables:
            known = shapes.setdefault((changes.table, changes.made_for), [])
            if known and (known[-1][-1].shape, known[-1][-1].key) == (changes.shape, changes.key):
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
    return Parcel(batch, run[0].served, run[0].contiguous, run[0].rules)


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
    """The segments of a parcel: one for each table and sync that is served; `code` and `message` say why.

    Rules are applied here, so that the ledger holds no column, row or value that they keep back. Raises OutageError
    where that needs the source, and it is away.
    """
    batch = parcel.batch
    parts: list[tuple[TableId, TableChanges | None]] = [(table, None) for table in batch.truncated]
    parts += [(changes.table, changes) for changes in batch.tables]
    for number, (table, changes) in enumerate(parts):
        served = parcel.served.get(table, ())
        plain = TRUNCATE_PAYLOAD if changes is None else _plain(changes, parcel, served)
        for sync_id in served:
            rules = parcel.rules.get(sync_id)
            payload = plain if changes is None or rules is None else _ruled(rules, changes)
            if not (payload.truncate or payload.row_count or payload.rules == UNFIT):
                continue
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


def _plain(changes: TableChanges, parcel: Parcel, served: Iterable[int]) -> Payload:
    """What is kept for syncs without rules; nothing where there is none."""
    return payload_of(changes) if any(sync_id not in parcel.rules for sync_id in served) else Payload()


def _ruled(rules: RowRules, changes: TableChanges) -> Payload:
    """What is kept of changes; where the rules do not fit them any more, only that: the table has to be copied again.

    The destination is not at fault, so what goes to its other tables is not to wait.
    """
    try:
        return payload_of(rules.apply(changes))
    except OutageError:
        raise
    except RosettaError:
        return Payload(changes.columns, changes.key, rules=UNFIT)


def replayed(rows: Sequence[OpenRow], sequence: int, limit_bytes: int) -> Iterator[ChangeBatch]:
    """The batches that segments were made of, in the order of `rows`, joined where that gives the same.

    None of them may have been applied. They carry `sequence`, because their own belonged to a stream that has moved on.
    """
    for parcel in _runs((Parcel(batch, {}) for batch in _batches(rows, sequence)), limit_bytes, _continues):
        yield parcel.batch


def _batches(rows: Sequence[OpenRow], sequence: int) -> Iterator[ChangeBatch]:
    for position, group in groupby(rows, key=lambda row: row.position):
        # a part that goes to several syncs is the same for each, unless rules made it
        parts: dict[tuple[int, int], list[OpenRow]] = {}
        for row in group:
            parts.setdefault((row.part, (row.sync_id or 0) if row.payload.rules else 0), []).append(row)
        ordered = [parts[number][0] for number in sorted(parts)]
        times = [row.commit_time for row in ordered if row.commit_time is not None]
        yield ChangeBatch(
            sequence=sequence,
            start=StreamPosition(position.commit_lsn),
            end=position,
            truncated=tuple(row.table for row in ordered if row.payload.truncate),
            tables=tuple(_changes(parts[number]) for number in sorted(parts) if not parts[number][0].payload.truncate),
            commit_time=max(times, default=None),
        )


def _changes(part: Sequence[OpenRow]) -> TableChanges:
    """What rows of the ledger that hold the same say, for the syncs that they are of.

    One that is there twice (the answer to the first was lost) counts once: as changes for somebody else it would come
    behind newer ones of its table.
    """
    syncs = tuple(sorted({row.sync_id for row in part if row.sync_id is not None}))
    return replace(part[0].changes(), made_for=MadeFor(syncs, part[0].payload.rules))
