"""What `rosetta dlq` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from rosetta.dead_letters.rows import ChangeRow
from rosetta.dead_letters.search import Neighbours, Sum
from rosetta.dead_letters.showing import Contents, waits_behind
from rosetta.lsn import Lsn
from rosetta.tables import DlqRecord

_NOT_SHOWN: Final = frozenset({"payload", "key_hashes", "columns", "next_attempt_at"})
_FIELDS: Final = tuple(column.key for column in DlqRecord.__table__.columns if column.key not in _NOT_SHOWN)


def print_sums(sums: Sequence[tuple[str, str, Sum]], *, as_json: bool) -> None:
    """One line for each destination."""
    if as_json:
        shapes = [
            {
                "pipeline": pipeline,
                "destination": destination,
                "records": total.records,
                "changes": total.changes,
                "payload_bytes": total.payload_bytes,
            }
            for pipeline, destination, total in sums
        ]
        print(json.dumps(shapes, indent=2, ensure_ascii=False))
        return
    cells = [
        (pipeline, destination, f"{total.records:,}", f"{total.changes:,}", f"{total.payload_bytes:,}")
        for pipeline, destination, total in sums
    ]
    _print_table({"pipeline": False, "destination": False, "records": True, "changes": True, "bytes": True}, cells)


def print_records(rows: Sequence[DlqRecord], total: int, limit: int, *, as_json: bool) -> None:
    """A page of a list; `total` counts all that match."""
    more = rows[-1].id if len(rows) == limit else None
    if as_json:
        items = [_shape(row) for row in rows]
        print(json.dumps({"items": items, "total": total, "next_after": more}, indent=2, ensure_ascii=False))
        return
    cells = [
        (
            str(row.id),
            f"{row.schema_name}.{row.table_name}",
            row.kind.value.lower(),
            f"{row.row_count:,}",
            "behind" if waits_behind(row) else row.state.value.lower(),
            str(row.attempts),
            f"{row.created_at:%Y-%m-%d %H:%M:%S}",
            f"{row.error_class.value.lower()} {row.error_code or ''}: {row.error_message}",
        )
        for row in rows
    ]
    heads = {"id": True, "table": False, "kind": False, "changes": True, "state": False, "attempts": True}
    _print_table({**heads, "parked (UTC)": False, "error": False}, cells)
    print(f"{total:,} in all" + (f"; the next page: --after {more}" if more is not None else ""))


def print_contents(record: DlqRecord, contents: Contents, neighbours: tuple[Neighbours, Neighbours]) -> None:
    """One record with its values."""
    console = Console(highlight=False)
    behind, ahead = neighbours
    for line in (
        f"record {record.id}: {record.kind.value.lower()}, {record.row_count:,} changes, {record.state.value.lower()}",
        f"table {record.schema_name}.{record.table_name}",
        f"position {record.change_lsn}, batch {record.commit_lsn}, parked {record.created_at:%Y-%m-%d %H:%M:%S} UTC",
        f"{record.error_class.value.lower()} {record.error_code or ''}: {record.error_message}",
        f"{record.attempts} attempts" + (f", the last at {record.last_attempt_at:%H:%M:%S}" if record.attempts else ""),
        f"waits for {_named(ahead)}; waiting behind it: {_named(behind)}",
    ):
        console.print(line, markup=False, soft_wrap=True)
    if contents.truncates:
        console.print("the source emptied the table", markup=False)
    for number, change in enumerate(contents.changes):
        console.print(f"\nchange {number}: {change.operation.value} at {Lsn(change.lsn)}", markup=False)
        cells = [(name, _value(change, name), "key" if name in contents.key else "") for name in change.values]
        _print_table({"column": False, "value": False, "": False}, cells)


def record_as_json(record: DlqRecord, contents: Contents, neighbours: tuple[Neighbours, Neighbours]) -> dict[str, Any]:
    """One record with its values, as the API names its fields."""
    behind, ahead = neighbours
    return _shape(record) | {
        "columns": record.columns or [],
        "key_columns": list(contents.key),
        "truncates": contents.truncates,
        "changes": [
            {
                "operation": change.operation.value,
                "lsn": str(Lsn(change.lsn)),
                "values": dict(change.values),
                "unchanged": sorted(change.unchanged),
            }
            for change in contents.changes
        ],
        "behind": {"count": behind.count, "ids": list(behind.ids)},
        "ahead": {"count": ahead.count, "ids": list(ahead.ids)},
    }


def _shape(row: DlqRecord) -> dict[str, Any]:
    shape = {name: getattr(row, name) for name in _FIELDS}
    behind = waits_behind(row)
    shape |= {"waits_behind": behind, "next_attempt_at": None if behind else row.next_attempt_at}
    return {
        name: value if isinstance(value, int) and not isinstance(value, Lsn) else _text(value)
        for name, value in shape.items()
    }


def _text(value: object) -> str | None:
    if value is None:
        return None
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat() if isoformat is not None else value)


def _value(change: ChangeRow, name: str) -> str:
    if name in change.unchanged:
        return "(unchanged, not sent)"
    value = change.values[name]
    return "NULL" if value is None else json.dumps(value, ensure_ascii=False)


def _named(found: Neighbours) -> str:
    if not found.count:
        return "nothing"
    return f"{found.count} ({', '.join(map(str, found.ids[:5]))}{', ...' if found.count > 5 else ''})"


def _print_table(heads: dict[str, bool], cells: Sequence[tuple[str, ...]]) -> None:
    """`heads`: which columns are numbers."""
    console = Console(highlight=False)
    shown = Table(box=None, pad_edge=False)
    for head, is_number in heads.items():
        shown.add_column(head, justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        shown.add_row(*(console.render_str(text, markup=False) for text in row))
    console.print(shown)
