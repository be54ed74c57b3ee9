"""Changes as NDJSON, as the streaming interface takes them; values are the texts that a load by files would send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from compute.core.batch import META_COLUMNS, TableChanges
from compute.destinations.snowflake.values import prepare, raw_texts, read_fields
from rosetta.dialects.snowflake.tables import TargetColumn
from rosetta.errors import DataError

# A request takes 4 MB; a line of more than that cannot be sent.
MAX_REQUEST_BYTES: Final = 4_000_000
_META: Final = len(META_COLUMNS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Types whose values are JSON themselves.
_NESTED: Final = frozenset({"VARIANT", "ARRAY"})


@dataclass(frozen=True, slots=True)
class Encoded:
    """A line for each change, with its line end; None for one that is too large, with its reason in `refused`."""

    lines: list[bytes]
    refused: list[tuple[TableChanges, DataError]]


def encode(changes: TableChanges, columns: Sequence[TargetColumn]) -> Encoded:
    """Changes of one table, in order; `columns` are the target's in the order of the payload.

    A value that the source left out because it did not change is left out here too, and named under
    `_ROSETTA_UNCHANGED`.
    """
    fields = read_fields(changes.data, _META + len(columns))
    prepared = [prepare(text, column.type.form) for text, column in zip(fields[_META:], columns, strict=True)]
    kept = {
        column.name: (text, made.unheld)
        for text, column, made in zip(fields[_META:], columns, prepared, strict=True)
        if made.unheld is not None
    }
    names = [column.name for column in columns]
    nested = [column.type.family in _NESTED for column in columns]
    meta = zip(*(field.to_pylist() for field in fields[: _META - 1]), strict=True)
    values = zip(*(made.text.to_pylist() for made in prepared), strict=True)
    raws = raw_texts(kept, len(fields[0])).to_pylist()
    now = datetime.now(UTC).isoformat()
    encoded = Encoded([], [])
    for number, (about, row, raw) in enumerate(zip(meta, values, raws, strict=True)):
        line = _line(_about(about, raw, now), about[5], names, nested, row)
        if len(line) <= MAX_REQUEST_BYTES:
            encoded.lines.append(line)
        else:
            encoded.refused.append((_only(changes, number), _too_large(len(line))))
    return encoded


def truncation(lsn: int) -> bytes:
    """The line that says that the table was emptied, just before whatever follows `lsn`."""
    now = datetime.now(UTC).isoformat()
    return _dumped(
        {"_ROSETTA_OP": "t", "_ROSETTA_LSN": lsn, "_ROSETTA_SEQ": -1, "_ROSETTA_TX": 0, "_ROSETTA_LOADED_AT": now}
    )


def requests_of(lines: Iterable[bytes], max_bytes: int = MAX_REQUEST_BYTES) -> Iterator[bytes]:
    """The lines gathered into as few bodies as their size allows."""
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        if gathered and size + len(line) > max_bytes:
            yield b"".join(gathered)
            gathered, size = [], 0
        gathered.append(line)
        size += len(line)
    if gathered:
        yield b"".join(gathered)


def _about(meta: Sequence[str], raw: str | None, now: str) -> dict[str, Any]:
    op, lsn, seq, xid, moment = meta[:5]
    return {
        "_ROSETTA_OP": op,
        "_ROSETTA_LSN": int(lsn),
        "_ROSETTA_SEQ": int(seq),
        "_ROSETTA_TX": int(xid),
        "_ROSETTA_SOURCE_TS": None if moment is None else (_EPOCH + timedelta(microseconds=int(moment))).isoformat(),
        "_ROSETTA_LOADED_AT": now,
        "_ROSETTA_RAW": None if raw is None else orjson.Fragment(raw),
    }


def _line(
    line: dict[str, Any], mask: str | None, names: Sequence[str], nested: Sequence[bool], row: Sequence[str | None]
) -> bytes:
    left_out = [] if mask is None else [name for name, bit in zip(names, mask, strict=True) if bit == "1"]
    if left_out:
        line["_ROSETTA_UNCHANGED"] = ",".join(left_out)
    for name, is_json, value in zip(names, nested, row, strict=True):
        if name not in left_out:
            line[name] = orjson.Fragment(value) if is_json and value is not None else value
    return _dumped(line)


def _dumped(line: dict[str, Any]) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _only(changes: TableChanges, number: int) -> TableChanges:
    """One of the changes alone."""
    return replace(changes, row_count=1, data=bytes(changes.data).split(b"\n")[number] + b"\n")


def _too_large(size_bytes: int) -> DataError:
    return DataError(
        f"a change takes {size_bytes} bytes; Snowpipe Streaming takes {MAX_REQUEST_BYTES} in one request",
        code="VALUE_TOO_LARGE",
        remedy="Leave the large column out of the table sync, or let the destination load by files.",
    )
