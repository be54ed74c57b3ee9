"""Changes on their way into a landing table, as NDJSON, and back from there as the source sent them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

import orjson
import pyarrow.compute as pc

from compute.core.batch import META_COLUMNS, TableChanges
from compute.core.joining import joined
from compute.core.lines import copy_field, lines, select
from compute.destinations.base import TableTarget
from compute.destinations.snowflake.payload import add_values, staged_changes
from compute.destinations.snowflake.values import raw_texts
from rosetta.dialects.snowflake.merge_table import MergeTable

_META: Final = len(META_COLUMNS)
_FROM: Final = _META - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NULL: Final = rb"\N"


def landing_lines(changes: TableChanges, table: MergeTable, end: str) -> list[bytes]:
    """A line for each change, as the staging table has it, of the batch that ends at `end`.

    `_SOURCE` holds the source's texts of those values that are staged as other ones.
    """
    columns, fields = staged_changes(changes, table)
    add_values(columns, fields[_META:], table)
    texts = fields[_META:]
    columns["_SOURCE"] = raw_texts(
        {str(number): (text, _differs(text, columns[f"C{number}"])) for number, text in enumerate(texts, 1)},
        len(columns["_N"]),
    )
    columns["_FROM"] = fields[_FROM]
    del columns["_N"]
    names = list(columns)
    rows = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    return [_line(names, row, end) for row in rows]


def _differs(text: Any, staged: Any) -> Any:
    same = pc.fill_null(pc.equal(text, staged), False)
    return pc.and_(pc.is_valid(text), pc.invert(same))


def _line(names: Sequence[str], row: Sequence[Any], end: str) -> bytes:
    held = {name: value for name, value in zip(names, row, strict=True) if value is not None}
    return orjson.dumps(held | {"_END": end}, option=orjson.OPT_APPEND_NEWLINE)


def landed_changes(rows: Iterable[tuple[Any, ...]], target: TableTarget, columns: tuple[str, ...]) -> TableChanges:
    """The rows of `read_sql` as one payload that begins from the target as it is: each with all that is known of it."""
    batches = [
        TableChanges(
            table=target.source,
            columns=columns,
            key=target.schema.key,
            row_count=0,
            data=b"".join(_payload_line(row[1:]) for row in group),
            folded=False,
            has_deletes=True,
            has_unchanged=True,
            has_moved=True,
            made_for=None if target.rules is None else target.rules.made_for,
        )
        for _, group in groupby(rows, key=lambda row: row[0])
    ]
    return joined([select(batch, lines(batch)) for batch in batches])


def _payload_line(row: tuple[Any, ...]) -> bytes:
    op, lsn, seq, xid, moment, mask, former, source, *staged = row
    told = {} if source is None else orjson.loads(source)
    micros = None if moment is None else str(_microseconds(moment))
    values = [told.get(str(number), text) for number, text in enumerate(staged, 1)]
    fields = (op, str(lsn), str(seq), str(xid), micros, mask, former, *values)
    return b"\t".join(_NULL if field is None else copy_field(field.encode()) for field in fields) + b"\n"


def _microseconds(moment: str) -> int:
    since = datetime.fromisoformat(moment) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
