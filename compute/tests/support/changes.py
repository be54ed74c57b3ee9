"""Payloads written by hand, and read back."""

from __future__ import annotations

from dataclasses import dataclass

from compute.core.batch import META_COLUMNS, TableChanges
from compute.core.lines import from_field
from rosetta.dialects.postgres.copy_text import parse_lines
from rosetta.types import TableSchema

_META = len(META_COLUMNS)
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


@dataclass(frozen=True)
class Written:
    """One change; values are missing at the end where only the key counts."""

    op: str
    values: tuple[str | None, ...]
    unchanged: str | None = None
    former: tuple[str, ...] | None = None
    lsn: int = 1
    seq: int = 0
    xid: int = 1

    def text(self, width: int) -> str:
        former = None if self.former is None else from_field(item.encode() for item in self.former).decode()
        meta = [self.op, str(self.lsn), str(self.seq), str(self.xid), "0", self.unchanged or "\\N", former or "\\N"]
        values = [*self.values, *[None] * (width - len(self.values))]
        return "\t".join([*meta, *("\\N" if value is None else _escaped(value) for value in values)]) + "\n"


def line(
    op: str,
    *values: str | None,
    unchanged: str | None = None,
    former: tuple[str, ...] | None = None,
    lsn: int = 1,
    seq: int = 0,
    xid: int = 1,
) -> Written:
    return Written(op, values, unchanged, former, lsn, seq, xid)


def payload(schema: TableSchema, *written: Written, folded: bool = True) -> TableChanges:
    """What an engine would give for these changes."""
    return TableChanges(
        schema.table,
        schema.column_names,
        schema.key,
        len(written),
        "".join(one.text(len(schema.columns)) for one in written).encode(),
        folded,
        any(one.op == "d" for one in written),
        any(one.unchanged is not None for one in written),
        any(one.former is not None for one in written),
    )


def lines_of(changes: TableChanges) -> list[tuple[str, tuple[str | None, ...]]]:
    """Operation and values of each line."""
    return [(str(fields[0]), tuple(fields[_META:])) for fields in parse_lines(bytes(changes.data))]


def _escaped(value: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in value)
