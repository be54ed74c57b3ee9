"""What a comparison asks of a side, as its dialect writes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from rosetta.dialects.postgres.checksum import ComparedTable, Key, KeyRange


class Dialect(Protocol):
    """The functions of `rosetta.dialects.postgres.checksum` that both sides have; modules are what implements it."""

    def totals_sql(self, table: ComparedTable, within: KeyRange) -> str:
        """One row: how many rows the range has, and their checksum."""

    def buckets_sql(self, table: ComparedTable, within: KeyRange, bucket_count: int) -> str:
        """Count and checksum of each of `bucket_count` (a power of two) buckets of row hashes that is not empty."""

    def members_sql(self, table: ComparedTable, within: KeyRange, bucket_count: int, buckets: Iterable[int]) -> str:
        """Key, row hash (hex) and number of copies of every row in `buckets`."""

    def lookup_sql(self, table: ComparedTable, keys: Sequence[Key]) -> str:
        """Key, row hash (hex) and number of copies of the rows with one of `keys`."""

    def values_sql(self, table: ComparedTable, keys: Sequence[Key], *, reveal: bool) -> str:
        """Key and, per column, the value's text (`reveal`) or its hash, of the rows with one of `keys`."""

    def fields_of(self, found: Any) -> tuple[Any, ...]:
        """The texts of a key or of a row's values, as one of these queries answers them."""

    def progress_exists_sql(self) -> str:
        """Whether the target keeps positions at all: a truth or a count."""

    def progress_sql(self, pipeline: tuple[int, int] | None) -> str:
        """The position (text of an LSN) that a target holds of `pipeline`; NULL or no row: it is not known."""
