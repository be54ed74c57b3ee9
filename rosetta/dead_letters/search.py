"""The ledger as people see it: what is parked for one destination, in pages that stay fast when it is a million.

Sums come from `dlq_totals`, which triggers keep; a page is found in an index from whichever end is nearer, and its
rows are read without their payloads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, LargeBinary, Select, bindparam, func, select, tuple_
from sqlalchemy.orm import Session, defer

from rosetta.enums import DlqKind, DlqState, ErrorClass
from rosetta.tables import DlqRecord, DlqTotal

OPEN: Final = (DlqState.PARKED, DlqState.RETRYING)
BEHIND_COUNTED: Final = 1_000
BEHIND_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A destination of a pipeline."""

    pipeline_id: int
    destination_id: int


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which records are meant; what is None or empty does not matter.

    Attributes:
        key_hashes: records that touch a row with one of these (`rosetta.dead_letters.keys`).
        states: the open ones by default.
    """

    ids: tuple[int, ...] = ()
    schema_name: str | None = None
    table_name: str | None = None
    error_class: ErrorClass | None = None
    error_code: str | None = None
    kind: DlqKind | None = None
    states: tuple[DlqState, ...] = OPEN
    key_hashes: tuple[bytes, ...] | None = None

    @property
    def summable(self) -> bool:
        """Whether `dlq_totals` can answer how many there are."""
        return not self.ids and self.key_hashes is None


@dataclass(frozen=True, slots=True)
class Sum:
    """How much the ledger holds: its rows, the changes in them, the bytes of these before they were sealed."""

    records: int = 0
    changes: int = 0
    payload_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Open records of one table that were parked for the same reason; `changes` are those in the records."""

    schema_name: str
    table_name: str
    error_class: ErrorClass
    error_code: str | None
    records: int
    changes: int


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list, by id: after (or, `newest_first`, before) the record `after`, else from `offset` on."""

    limit: int
    offset: int = 0
    after: int | None = None
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Open records of the same rows: how many (counted up to BEHIND_COUNTED) and the first few ids."""

    count: int
    ids: tuple[int, ...]


def summed(session: Session, place: Place, criteria: Criteria) -> Sum:
    """What meets the criteria, added up."""
    if criteria.summable:
        source: type[DlqTotal | DlqRecord] = DlqTotal
        records: ColumnElement[Any] = func.sum(DlqTotal.records)
    else:
        source, records = DlqRecord, func.count()
    row = session.execute(
        select(records, func.sum(source.row_count), func.sum(source.payload_bytes)).where(
            *_conditions(source, place, criteria)
        )
    ).one()
    return Sum(*(int(value or 0) for value in row))


def open_sums(session: Session, pipeline_ids: Iterable[int]) -> dict[Place, Sum]:
    """What is open, for each destination of these pipelines that has something."""
    rows = session.execute(
        select(
            DlqTotal.pipeline_id,
            DlqTotal.destination_id,
            func.sum(DlqTotal.records),
            func.sum(DlqTotal.row_count),
            func.sum(DlqTotal.payload_bytes),
        )
        .where(DlqTotal.pipeline_id.in_(list(pipeline_ids)), DlqTotal.state.in_(OPEN))
        .group_by(DlqTotal.pipeline_id, DlqTotal.destination_id)
    )
    return {Place(row[0], row[1]): Sum(*map(int, row[2:])) for row in rows}


def groups(session: Session, place: Place, limit: int) -> tuple[list[Group], int]:
    """What is open, by table and error: the `limit` groups with the most changes, and how many there are in all."""
    same = (DlqTotal.schema_name, DlqTotal.table_name, DlqTotal.error_class, DlqTotal.error_code)
    records, changes = func.sum(DlqTotal.records), func.sum(DlqTotal.row_count)
    rows = session.execute(
        select(*same, records, changes, func.count().over())
        .where(*_conditions(DlqTotal, place, Criteria()))
        .group_by(*same)
        .having(records > 0)
        .order_by(changes.desc(), records.desc(), *same)
        .limit(limit)
    ).all()
    return [Group(*row[:4], int(row[4]), int(row[5])) for row in rows], rows[0][6] if rows else 0


def page(session: Session, place: Place, criteria: Criteria, window: Window) -> tuple[Sequence[DlqRecord], int]:
    """The records of a window, in its order and without payloads, and how many there are in all."""
    total = summed(session, place, criteria).records
    found = session.scalars(_windowed(matching(place, criteria), window, total)).all() if total else []
    rows = session.scalars(
        select(DlqRecord).where(DlqRecord.id.in_(found)).options(defer(DlqRecord.payload, raiseload=True))
    )
    return sorted(rows, key=lambda row: row.id, reverse=window.newest_first), total


def matching(place: Place, criteria: Criteria) -> Select[int]:
    """The ids of the records that meet the criteria."""
    return select(DlqRecord.id).where(*_conditions(DlqRecord, place, criteria))


def _windowed(ids: Select[int], window: Window, total: int) -> Select[int]:
    backwards, offset, limit = window.newest_first, window.offset, window.limit
    if window.after is not None:
        ids = ids.where(DlqRecord.id < window.after if backwards else DlqRecord.id > window.after)
        offset = 0
    else:
        limit = max(0, min(limit, total - offset))
        if offset > total // 2:
            backwards, offset = not backwards, total - offset - limit
    return ids.order_by(DlqRecord.id.desc() if backwards else DlqRecord.id).limit(limit).offset(max(0, offset))


def find(session: Session, place: Place, record_id: int, *, lock: bool = False) -> DlqRecord | None:
    """This record of this destination, with its payload; `lock` until the end of the transaction."""
    query = select(DlqRecord).where(
        DlqRecord.id == record_id,
        DlqRecord.pipeline_id == place.pipeline_id,
        DlqRecord.destination_id == place.destination_id,
    )
    return session.scalar(query.with_for_update() if lock else query, execution_options={"populate_existing": True})


def behind(session: Session, record: DlqRecord) -> Neighbours:
    """What waits for this record: newer open ones of its rows, or for a segment of its table."""
    return _neighbours(session, record, _order() > _place_of(record), newest_first=False)


def ahead(session: Session, record: DlqRecord) -> Neighbours:
    """What this record waits for: older open ones of its rows, or for a segment of its table."""
    return _neighbours(session, record, _order() < _place_of(record), newest_first=True)


def _neighbours(session: Session, record: DlqRecord, side: ColumnElement[bool], *, newest_first: bool) -> Neighbours:
    same = [
        DlqRecord.pipeline_id == record.pipeline_id,
        DlqRecord.destination_id == record.destination_id,
        DlqRecord.table_sync_id == record.table_sync_id,
        DlqRecord.schema_name == record.schema_name,
        DlqRecord.table_name == record.table_name,
        DlqRecord.kind == record.kind,
        DlqRecord.state.in_(OPEN),
        side,
    ]
    if record.kind is DlqKind.RECORD:
        same.append(_touches(record.key_hashes or ()))
    some = select(DlqRecord.id).where(*same).limit(BEHIND_COUNTED).subquery()
    ids = session.scalars(select(some.c.id).order_by(some.c.id.desc() if newest_first else some.c.id)).all()
    return Neighbours(len(ids), tuple(ids[:BEHIND_NAMED]))


def _order() -> ColumnElement[Any]:
    return tuple_(DlqRecord.commit_lsn, DlqRecord.change_lsn, DlqRecord.ordinal, DlqRecord.part, DlqRecord.id)


def _place_of(record: DlqRecord) -> ColumnElement[Any]:
    columns = (DlqRecord.commit_lsn, DlqRecord.change_lsn, DlqRecord.ordinal, DlqRecord.part, DlqRecord.id)
    return tuple_(*(bindparam(None, getattr(record, column.key), type_=column.type) for column in columns))


def _touches(key_hashes: Sequence[bytes]) -> ColumnElement[bool]:
    hashes = bindparam(None, list(key_hashes), type_=ARRAY(LargeBinary))
    return DlqRecord.key_hashes.op("&&", is_comparison=True)(hashes)


def _conditions(source: type[DlqTotal | DlqRecord], place: Place, criteria: Criteria) -> list[ColumnElement[bool]]:
    conditions = [
        source.pipeline_id == place.pipeline_id,
        source.destination_id == place.destination_id,
        source.state.in_(criteria.states),
    ]
    for name in ("schema_name", "table_name", "error_class", "error_code", "kind"):
        wanted = getattr(criteria, name)
        if wanted is not None:
            conditions.append(getattr(source, name) == wanted)
    if criteria.ids:
        conditions.append(source.id.in_(criteria.ids))
    if criteria.key_hashes is not None:
        conditions.append(_touches(criteria.key_hashes))
    return conditions


def located(session: Session, record_ids: Iterable[int]) -> dict[int, Place]:
    """Where these records are parked; ids that no record has are left out."""
    rows = session.execute(
        select(DlqRecord.id, DlqRecord.pipeline_id, DlqRecord.destination_id).where(DlqRecord.id.in_(list(record_ids)))
    )
    return {row.id: Place(row.pipeline_id, row.destination_id) for row in rows}
