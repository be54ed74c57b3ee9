"""Finds the keys whose rows differ: key ranges, then buckets of row hashes, then the rows of the buckets that differ.

One pass over each table when they are equal. What is found here may still be in flight: the two sides are not read
at the same instant. Nothing that differs is overlooked, even where the two servers order keys differently: the
ranges cover every row of either side whatever the order, and a key reported only because it fell into another range
is equal when it is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rosetta.dialects.postgres.checksum import (
    Key,
    KeyRange,
    upper_bound_sql,
)
from rosetta.verification.dialect import Dialect
from rosetta.verification.pairing import PairedTables
from rosetta.verification.request import Bounds
from rosetta.verification.session import Rows, Sides

_MAX_BUCKETS = 16_384
_ROWS_PER_BUCKET = 256


@dataclass(slots=True)
class Effort:
    """What a scan has read so far; see `TableReport`."""

    source_rows: int = 0
    target_rows: int = 0
    rows_hashed: int = 0
    rows_fetched: int = 0


class TableScan:
    """One scan of one pair of tables."""

    def __init__(self, sides: Sides, tables: PairedTables, bounds: Bounds) -> None:
        self._sides = sides
        self._tables = tables
        self._bounds = bounds
        self.effort = Effort()

    def suspects(self) -> Iterator[set[Key]]:
        """Sets of keys that differed when they were read, never empty, of about `Bounds.leaf_rows` at most.

        A key may appear in several sets. No transaction is open while the caller handles a set.
        """
        for within in self._ranges():
            rows = self._rows_if_different(within)
            if rows is None:
                continue
            bucket_count = _bucket_count(rows, self._bounds.leaf_rows)
            for buckets in self._differing_buckets(within, bucket_count):
                keys = self._differing_keys(within, bucket_count, buckets)
                if keys:
                    yield keys

    def _ranges(self) -> Iterator[KeyRange]:
        lower: Key | None = None
        while self._tables.ranged:
            found = self._sides.source.value(upper_bound_sql(self._tables.source, lower, self._bounds.window_rows))
            if found is None:
                break
            upper = tuple(found)
            yield KeyRange(lower, upper)
            lower = upper
        yield KeyRange(lower)

    def _rows_if_different(self, within: KeyRange) -> int | None:
        """None when count and checksum agree, else the rows of the longer side."""
        (source,), (target,) = self._sides.both(self._tables.sides, lambda side, table: side.totals_sql(table, within))
        self.effort.source_rows += source[0]
        self.effort.target_rows += target[0]
        self.effort.rows_hashed += source[0]
        return None if source == target else max(source[0], target[0])

    def _differing_buckets(self, within: KeyRange, bucket_count: int) -> Iterator[list[int]]:
        """Buckets that differ, in groups whose rows may be held at once."""
        if bucket_count == 1:
            yield [0]
            return
        source, target = self._sides.both(
            self._tables.sides, lambda side, table: side.buckets_sql(table, within, bucket_count)
        )
        self.effort.rows_hashed += sum(count for _, count, _ in source)
        rows: dict[int, int] = {}
        for bucket, count, _ in set(source) ^ set(target):
            rows[bucket] = max(count, rows.get(bucket, 0))
        group: list[int] = []
        held = 0
        for bucket, count in rows.items():
            if group and held + count > self._bounds.leaf_rows:
                yield group
                group, held = [], 0
            group.append(bucket)
            held += count
        if group:
            yield group

    def _differing_keys(self, within: KeyRange, bucket_count: int, buckets: list[int]) -> set[Key]:
        source, target = self._sides.both(
            self._tables.sides, lambda side, table: side.members_sql(table, within, bucket_count, buckets)
        )
        self.effort.rows_fetched += len(source) + len(target)
        found = _members(self._sides.source.dialect, source) ^ _members(self._sides.target.dialect, target)
        return {key for key, _, _ in found}


def _members(dialect: Dialect, rows: Rows) -> set[tuple[Key, str, int]]:
    return {(dialect.fields_of(key), row_hash, copies) for key, row_hash, copies in rows}


def _bucket_count(rows: int, leaf_rows: int) -> int:
    """A power of two; 1 when all rows may be held at once."""
    per_bucket = max(1, min(_ROWS_PER_BUCKET, leaf_rows // 2))
    if rows <= per_bucket:
        return 1
    return min(_MAX_BUCKETS, 1 << (rows // per_bucket).bit_length())
