"""Which keys are parked: keyed hashes in the ledger, numbers in memory.

The hash of a key is of its table and of its columns' text as the source prints it. Where equal values of a type can
print differently, it is of one form for all of them, or of nothing at all: then every key of the table counts as
the same, and more waits than must, never less.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Final

from compute.core.lines import Line
from rosetta.dead_letters.keys import key_input, plain_number
from rosetta.identifiers import TableId
from rosetta.secrets import Keyring
from rosetta.types import Column, TableSchema

_KEY_ID_BYTES: Final = 8
_CANONICAL: Final = re.compile(
    r"(smallint|integer|bigint|oid|boolean|text|character varying|uuid|bytea|date|name|\"char\"|inet|macaddr8?"
    r"|timestamp|time)(\(\d+\))?( with(out)? time zone)?"
)
_WHOLE_TABLE: Final = b"*"
_MERGE_AT: Final = 50_000


class KeyHasher:
    """Hashes keys of tables; safe to share between threads."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def hashes(self, schema: TableSchema, lines: Iterable[Line]) -> tuple[bytes, ...]:
        """What the ledger keeps of the keys that `lines` touch; under the current key, each once."""
        inputs = dict.fromkeys(one for line in lines for one in self._inputs(schema, line))
        return tuple(self._keyring.digests(one)[0] for one in inputs)

    def numbers(self, schema: TableSchema, line: Line) -> list[int]:
        """What `numbers_of` makes of the hashes of a line's keys, under every key of the keyring."""
        return [_number(digest) for one in self._inputs(schema, line) for digest in self._keyring.digests(one)]

    def whole_table(self, table: TableId) -> list[int]:
        """The numbers that stand for every key of a table."""
        return [_number(digest) for digest in self._keyring.digests(key_input(table, [_WHOLE_TABLE]))]

    def numbers_of(self, hashes: Iterable[bytes]) -> list[int] | None:
        """Hashes from the ledger as numbers; None when one was made under a key that nobody has any more."""
        known = [(digest, self._keyring.knows_digest(digest)) for digest in hashes]
        return [_number(digest) for digest, _ in known] if all(is_known for _, is_known in known) else None

    def _inputs(self, schema: TableSchema, line: Line) -> list[bytes]:
        if not schema.key:
            # A row whose unchanged values were not sent cannot be told from others by its text.
            return [key_input(schema.table, [_WHOLE_TABLE] if line.has_unchanged else line.key)]
        columns = [_column(schema, name) for name in schema.key]
        keys = [line.key] if line.moved_from is None else [line.key, line.moved_from]
        return [
            key_input(schema.table, [normal_form(column, part) for column, part in zip(columns, key, strict=True)])
            for key in keys
        ]


def normal_form(column: Column | None, part: bytes) -> bytes:
    """One text for all values of the column's type that are equal to `part`; empty where that is not known."""
    if column is None or column.nondeterministic:
        return b""
    kind = column.type
    if _CANONICAL.fullmatch(kind) or any(user.kind == "enum" for user in column.user_types):
        return part
    if kind.startswith("character(") or kind == "character":
        return part.rstrip(b" ")
    if kind.startswith("numeric"):
        return plain_number(part)
    return b""


def _column(schema: TableSchema, name: str) -> Column | None:
    return next((column for column in schema.columns if column.name == name), None)


def _number(digest: bytes) -> int:
    """Eight bytes tell a million keys apart; two that collide only wait for each other."""
    return int.from_bytes(digest[_KEY_ID_BYTES : _KEY_ID_BYTES + 8], "big")


class KeyCounts:
    """How many open records touch each key: a million keys take some 8 MB. Not safe between threads."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._sorted = array("Q", sorted(numbers))
        self._more: Counter[int] = Counter()  # changes since; may be negative

    def __bool__(self) -> bool:
        return len(self._sorted) + sum(self._more.values()) > 0

    def count(self, number: int) -> int:
        known = bisect_right(self._sorted, number) - bisect_left(self._sorted, number)
        return known + self._more[number] if number in self._more else known

    def add(self, numbers: Iterable[int]) -> None:
        self._more.update(numbers)
        self._merge()

    def remove(self, numbers: Iterable[int]) -> None:
        """Takes away what is there; what is not, never was."""
        for number in numbers:
            if self.count(number) > 0:
                self._more[number] -= 1
        self._merge()

    def _merge(self) -> None:
        if len(self._more) < _MERGE_AT:
            return
        merged = array("Q")
        for number in self._sorted:
            if self._more.get(number, 0) < 0:
                self._more[number] += 1
            else:
                merged.append(number)
        added = sorted(self._more.elements())
        self._sorted = array("Q", sorted([*merged, *added])) if added else merged
        self._more.clear()
