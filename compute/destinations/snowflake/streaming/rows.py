"""Changes as NDJSON, as the streaming interface takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from compute.core.batch import META_COLUMNS, TableChanges
from rosetta.errors import DataError

# A request takes 4 MB; a line more than that cannot be sent.
MAX_REQUEST_BYTES: Final = 4_000_000
_META: Final = tuple(META_COLUMNS)
_NULL: Final = b"\\N"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


@dataclass(frozen=True, slots=True)
class LandingColumn:
    """Where a source column goes. `json`: its text is JSON and goes in as such, into a VARIANT."""

    name: str
    json: bool = False


@dataclass(frozen=True, slots=True)
class LandingNames:
    """Names of the columns that say what a change was, in the landing table."""

    op: str = "_ROSETTA_OP"
    lsn: str = "_ROSETTA_LSN"
    seq: str = "_ROSETTA_SEQ"
    tx: str = "_ROSETTA_TX"
    source_ts: str = "_ROSETTA_SOURCE_TS"
    loaded_at: str = "_ROSETTA_LOADED_AT"
    unchanged: str = "_ROSETTA_UNCHANGED"


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns changes of one table into lines. `columns`: by the source's names; others are left out."""

    columns: Mapping[str, LandingColumn]
    names: LandingNames = LandingNames()

    def lines(self, changes: TableChanges) -> Iterator[bytes]:
        """One JSON object per change, each with its line end, in order.

        A value that the source left out because it did not change is left out here too and named under `unchanged`.
        Raises DataError for a change that is too large for any request.
        """
        places = [(index, column) for index, name in enumerate(changes.columns) if (column := self.columns.get(name))]
        offset, loaded_at = len(_META), datetime.now(UTC).isoformat()
        for line in bytes(changes.data).split(b"\n"):
            if not line:
                continue
            fields = line.split(b"\t")
            row = self._change(fields) | {self.names.loaded_at: loaded_at}
            left_out = _unchanged(fields[5], changes.columns)
            if left_out:
                row[self.names.unchanged] = [self.columns[name].name for name in left_out if name in self.columns]
            for index, column in places:
                if changes.columns[index] not in left_out:
                    row[column.name] = _value(fields[offset + index], as_json=column.json)
            yield _dumped(row)

    def truncation(self, lsn: int) -> bytes:
        """The line that says that the table was emptied, just before whatever follows `lsn`."""
        names = self.names
        now = datetime.now(UTC).isoformat()
        return _dumped({names.op: "t", names.lsn: lsn, names.seq: -1, names.tx: 0, names.loaded_at: now})

    def _change(self, fields: Sequence[bytes]) -> dict[str, Any]:
        op, lsn, seq, xid, commit = fields[:5]
        names = self.names
        at = None if commit == _NULL else (_EPOCH + timedelta(microseconds=int(commit))).isoformat()
        return {
            names.op: op.decode(),
            names.lsn: int(lsn),
            names.seq: int(seq),
            names.tx: int(xid),
            names.source_ts: at,
        }


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


def _dumped(row: Mapping[str, Any]) -> bytes:
    line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    if len(line) > MAX_REQUEST_BYTES:
        raise DataError(
            f"a change takes {len(line)} bytes; Snowpipe Streaming takes {MAX_REQUEST_BYTES} in one request",
            code="VALUE_TOO_LARGE",
            remedy="Leave the large column out of the table sync, or use a destination that loads by files.",
        )
    return line


def _value(text: bytes, *, as_json: bool) -> Any:
    if text == _NULL:
        return None
    if b"\\" in text:
        text = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text)
    return orjson.Fragment(text) if as_json else text.decode()


def _unchanged(bits: bytes, columns: Sequence[str]) -> frozenset[str]:
    if bits == _NULL:
        return frozenset()
    return frozenset(name for name, bit in zip(columns, bits, strict=True) if bit == ord("1"))
