"""A destination in memory that applies batches as the contract says, and complains when a batch breaks it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from compute.core.batch import ChangeBatch, TableChanges
from rosetta.identifiers import TableId

Key = tuple[str, ...]
Row = tuple[str | None, ...]

_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


def unescape(text: str) -> str | None:
    return None if text == "\\N" else re.sub(r"\\(.)", lambda match: _ESCAPES[match[1]], text)


def array(literal: str) -> Key:
    assert (literal[0], literal[-1]) == ("{", "}")
    return tuple(re.sub(r"\\(.)", r"\1", item) for item in re.findall(r'"((?:[^"\\]|\\.)*)"', literal))


@dataclass(frozen=True)
class Line:
    operation: str
    version: tuple[int, int]
    xid: int
    micros: int
    unchanged: str | None
    origin: Key | None
    values: Row


def lines_of(changes: TableChanges) -> list[Line]:
    result = []
    for text in bytes(changes.data).decode().split("\n")[:-1]:
        operation, lsn, ordinal, xid, micros, unchanged, origin, *values = map(unescape, text.split("\t"))
        assert len(values) == len(changes.columns)
        assert operation is not None
        assert lsn is not None
        assert ordinal is not None
        assert xid is not None
        assert micros is not None
        result.append(
            Line(
                operation,
                (int(lsn), int(ordinal)),
                int(xid),
                int(micros),
                unchanged,
                None if origin is None else array(origin),
                tuple(values),
            )
        )
    assert len(result) == changes.row_count
    assert changes.has_deletes == any(line.operation == "d" for line in result)
    assert changes.has_unchanged == any(line.unchanged is not None for line in result)
    assert changes.has_moved == any(line.origin is not None for line in result)
    return result


@dataclass
class Replica:
    """Rows by key; of a table without a key, how often each row is there."""

    rows: dict[TableId, dict[Key, Row]] = field(default_factory=dict)
    bags: dict[TableId, Counter[Row]] = field(default_factory=dict)
    versions: dict[tuple[TableId, Key], tuple[int, int]] = field(default_factory=dict)
    batches: list[ChangeBatch] = field(default_factory=list)

    def apply(self, batch: ChangeBatch) -> None:
        if self.batches:
            assert batch.sequence == self.batches[-1].sequence + 1
            assert batch.start == self.batches[-1].end
        assert batch.end > batch.start
        self.batches.append(batch)
        for table in batch.truncated:
            self.rows.pop(table, None)
            self.bags.pop(table, None)
        for changes in batch.tables:
            if changes.key:
                self._merge(changes)
            else:
                self._log(changes)

    def _merge(self, changes: TableChanges) -> None:
        rows = self.rows.setdefault(changes.table, {})
        old = dict(rows)
        places = [changes.columns.index(name) for name in changes.key]
        newest: dict[Key, Line] = {}
        for line in lines_of(changes):
            key = tuple(str(line.values[place]) for place in places)
            assert None not in [line.values[place] for place in places]
            assert not (changes.folded and key in newest), "two lines of a folded batch share a key"
            if line.operation == "c":
                assert key not in old, "a row that is said to be new was there"
            before = self.versions.get((changes.table, key), (-1, -1))
            assert line.version > before, "a row went back in version"
            self.versions[changes.table, key] = line.version
            newest[key] = line
        filled = {key: _filled(line, key, old) for key, line in newest.items() if line.operation != "d"}
        for key, line in newest.items():
            if line.operation == "d":
                rows.pop(key, None)
        rows.update(filled)

    def _log(self, changes: TableChanges) -> None:
        bag = self.bags.setdefault(changes.table, Counter())
        for line in lines_of(changes):
            if line.operation == "d":
                assert bag[line.values] > 0, "a row that is not there was deleted"
                bag[line.values] -= 1
            else:
                assert line.operation == "c"
                bag[line.values] += 1


def _filled(line: Line, key: Key, old: dict[Key, Row]) -> Row:
    if line.unchanged is None:
        return line.values
    source = old[line.origin or key]
    return tuple(
        known if bit == "1" else value for bit, value, known in zip(line.unchanged, line.values, source, strict=True)
    )
