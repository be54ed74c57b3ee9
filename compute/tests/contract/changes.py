"""Hand-made changes: what an engine would hand over, written down row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from compute.core.batch import TableChanges
from compute.destinations.base import RowChunk, TableTarget, TableWrite, WriteBatch
from rosetta.enums import DeleteMode, SyncMode
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.types import Column, TableSchema

Values = Sequence[str | None]
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Unchanged:
    """Stands for a value that was not sent."""


UNCHANGED = Unchanged()


@dataclass(frozen=True)
class Change:
    op: str
    lsn: int
    values: Sequence[str | Unchanged | None]
    seq: int = 0
    xid: int = 100
    moved_from: Sequence[str] | None = None


def field(value: str | None) -> str:
    return "\\N" if value is None else value.translate(_ESCAPES)


def array(items: Sequence[str]) -> str:
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"


def line(change: Change) -> str:
    bits = "".join("1" if isinstance(value, Unchanged) else "0" for value in change.values)
    meta = [
        change.op,
        str(change.lsn),
        str(change.seq),
        str(change.xid),
        str(1_700_000_000_123_456 + change.lsn),
        bits if "1" in bits else None,
        None if change.moved_from is None else array(change.moved_from),
    ]
    values = [None if isinstance(value, Unchanged) else value for value in change.values]
    return "\t".join(field(item) for item in (*meta, *values)) + "\n"


def changes(schema: TableSchema, items: Iterable[Change], *, folded: bool = False) -> TableChanges:
    listed = list(items)
    return TableChanges(
        table=schema.table,
        columns=schema.column_names,
        key=schema.key,
        row_count=len(listed),
        data="".join(line(item) for item in listed).encode(),
        folded=folded,
        has_deletes=any(item.op == "d" for item in listed),
        has_unchanged=any(isinstance(value, Unchanged) for item in listed for value in item.values),
        has_moved=any(item.moved_from is not None for item in listed),
    )


def copy_text(rows: Iterable[Values]) -> bytes:
    return "".join("\t".join(field(value) for value in row) + "\n" for row in rows).encode()


def chunk(
    target: TableTarget,
    rows: Sequence[Values],
    snapshot: str = "1000:1000:",
    *,
    lower: tuple[str, ...] | None = None,
    upper: tuple[str, ...] | None = None,
    complete: bool = True,
) -> RowChunk:
    return RowChunk(
        target, target.schema.column_names, copy_text(rows), len(rows), snapshot, lower, upper, complete=complete
    )


def schema(
    name: str = "things",
    columns: Sequence[tuple[str, str]] = (("id", "bigint"), ("name", "text"), ("body", "text")),
    key: tuple[str, ...] = ("id",),
) -> TableSchema:
    return TableSchema(TableId("public", name), tuple(Column(*column) for column in columns), key, primary_key=key)


def target(
    of: TableSchema,
    *,
    sync_id: int = 1,
    mode: SyncMode = SyncMode.CURRENT,
    delete_mode: DeleteMode = DeleteMode.HARD,
    copying: bool = False,
) -> TableTarget:
    return TableTarget(sync_id, of, TableId("copy", of.table.name), mode, delete_mode, copying)


def position(number: int) -> StreamPosition:
    return StreamPosition(Lsn(number))


def batch(end: int, *writes: tuple[TableTarget, TableChanges], truncated: Sequence[TableTarget] = ()) -> WriteBatch:
    return WriteBatch(position(end), tuple(truncated), tuple(TableWrite(*write) for write in writes))
