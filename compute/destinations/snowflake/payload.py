"""Payloads as Parquet files of texts, one for each load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from compute.core.batch import META_COLUMNS, TableChanges
from compute.destinations.base import RowChunk
from compute.destinations.snowflake.values import prepare, raw_texts, read_fields
from rosetta.dialects.postgres.copy_text import parse_array
from rosetta.dialects.snowflake.merge_table import MergeTable

_META = len(META_COLUMNS)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a file holds.

    `unheld_keys`: numbers of lines whose key has a value that its type has none for; `unheld`: how many lines have any.
    """

    rows: int
    unheld_keys: tuple[int, ...]
    unheld: int


def write_changes(changes: TableChanges, table: MergeTable, file: Path) -> Sent:
    """Writes changes as a file for the staging table."""
    columns, fields = staged_changes(changes, table)
    return _write(columns, fields[_META:], table, file)


def staged_changes(changes: TableChanges, table: MergeTable) -> tuple[dict[str, Any], list[Any]]:
    """What a staging table says of the changes beside their values, and the fields of the payload."""
    fields = read_fields(changes.data, _META + len(table.columns))
    op, lsn, seq, xid, moment, mask, former = fields[:_META]
    columns: dict[str, Any] = {
        "_N": pa.array(range(len(op)), pa.int64()),
        "_OP": op,
        "_LSN": lsn.cast(pa.int64()),
        "_SEQ": seq.cast(pa.int64()),
        "_XID": xid.cast(pa.int64()),
        "_TS": _moments(moment),
        "_UNCHANGED": mask,
    }
    if changes.has_moved:
        columns |= _former_keys(former, table)
    return columns, fields


def write_rows(chunk: RowChunk, table: MergeTable, file: Path) -> Sent:
    """Writes a chunk's rows as a file for the staging table."""
    data = chunk.data.read_bytes() if isinstance(chunk.data, Path) else chunk.data
    fields = read_fields(data, len(table.columns))
    return _write({"_N": pa.array(range(len(fields[0])), pa.int64())}, fields, table, file)


def _write(columns: dict[str, Any], fields: list[Any], table: MergeTable, file: Path) -> Sent:
    sent = add_values(columns, fields, table)
    pq.write_table(pa.table(columns), file, compression="snappy")
    return sent


def add_values(columns: dict[str, Any], fields: list[Any], table: MergeTable) -> Sent:
    """Adds to `columns` the table's own, prepared from `fields`, and the texts that its types cannot hold."""
    count = len(columns["_N"])
    kept: dict[str, tuple[Any, Any]] = {}
    lost_keys = pa.array([False] * count, pa.bool_())
    for position, (text, column) in enumerate(zip(fields, table.columns, strict=True)):
        prepared = prepare(text, column.type.form)
        columns[f"C{position + 1}"] = prepared.text
        if prepared.unheld is not None:
            kept[column.name] = (text, prepared.unheld)
            if position in table.key:
                lost_keys = pc.or_(lost_keys, prepared.unheld)
    columns["_RAW"] = raw_texts(kept, count)
    return Sent(count, tuple(pc.indices_nonzero(lost_keys).to_pylist()), count - columns["_RAW"].null_count)


def _moments(microseconds: Any) -> Any:
    moments = microseconds.cast(pa.int64()).cast(pa.timestamp("us"))
    return pc.binary_join_element_wise(moments.cast(pa.string()), pa.scalar("+00:00"), "")


def _former_keys(former: Any, table: MergeTable) -> dict[str, Any]:
    """The keys that rows had before, from the few lines that say so."""
    keys = [None if text is None else parse_array(text) for text in former.to_pylist()]
    return {
        f"F{number}": prepare(
            pa.array([None if key is None else key[number - 1] for key in keys], pa.string()),
            table.columns[position].type.form,
        ).text
        for number, position in enumerate(table.key, 1)
    }
