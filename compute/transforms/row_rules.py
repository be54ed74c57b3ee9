"""The rules of one table sync, ready to be applied to the stream and to the reads of a copy.

Nothing heavy is imported until the first change of a table that has rules: other pipelines do not pay for them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from compute.core.batch import MadeFor, TableChanges
from rosetta.enums import SyncMode
from rosetta.table_rules import MaskingKey, SourceView, TableRules, source_view
from rosetta.types import TableSchema

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CopiedRows:
    """Rows of a copy as COPY text, or a file of it.

    `unmade`: rows that the rules cannot make, as changes that stand for them, see `RowRules.apply`.
    """

    columns: tuple[str, ...]
    data: bytes | Path
    row_count: int
    unmade: TableChanges | None = None


class SourceRows(Protocol):
    """Rows as they are at the source; safe on any thread."""

    def read(
        self, schema: TableSchema, columns: Sequence[str], keys: Sequence[Key], transactions: Collection[int]
    ) -> Mapping[Key, Sequence[str]]:
        """The COPY fields of `columns` of the rows with one of `keys`, in a snapshot that sees `transactions`.

        A row that is not there (any more) is left out. Raises OutageError while the source cannot say so.
        """


@dataclass(frozen=True)
class RowRules:
    """Declared rules, held against one source table. Raises ConfigurationError where they do not fit it.

    Threads: immutable, safe on any.

    Attributes:
        source: the table as it is at the source.
    """

    sync_id: int
    declared: TableRules
    source: TableSchema
    mode: SyncMode
    masking_key: MaskingKey
    rows: SourceRows | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.declared.check(self.source)

    @cached_property
    def schema(self) -> TableSchema:
        """What arrives at the target."""
        return self.declared.output(self.source, self.masking_key)

    @cached_property
    def made_for(self) -> MadeFor:
        """Stands on everything that `apply` made."""
        return MadeFor((self.sync_id,), f"{self.declared.fingerprint}.{self.masking_key.identity}")

    @cached_property
    def view(self) -> SourceView:
        """The same of the source, in SQL."""
        return source_view(self.declared, self.source, self.masking_key)

    @property
    def masks_key(self) -> bool:
        """Whether the target's keys are not the source's."""
        return not self.declared.masks.keys().isdisjoint(self.source.key)

    @property
    def comparable(self) -> bool:
        """Whether `view` is what arrives, so that source and target can be compared."""
        return True

    def of(self, source: TableSchema) -> RowRules:
        """The same rules for the table as it is now. Raises ConfigurationError where they do not fit it."""
        return self if source == self.source else replace(self, source=source)

    def apply(self, changes: TableChanges) -> TableChanges:
        """The changes as the target is to have them, which may be none; to be done once to what the source sent.

        A row that meets the filters is written; one that does not is deleted, which does nothing where it never came.
        In append mode it is left out. Values that an update left out (unchanged TOAST) and that a filter may need, or
        a target that never had the row, are asked from the source.

        A row that the rules cannot make is among them all the same, for the ledger to keep until `again` can: with
        `_unchanged` set and without the values that are lacking.

        Raises:
            OutageError: the source cannot be asked; once more later.
            SchemaMismatchError: the stream lacks a column that the rules need.
        """
        from compute.transforms.columnar import apply

        return apply(self, changes)

    def lacks_rows(self, changes: TableChanges) -> bool:
        """Whether changes that `apply` made may have rows among them that it could not make."""
        del changes
        return False

    def again(self, changes: TableChanges) -> TableChanges:
        """Changes as `apply` made them, with rows that it could not make made of what the source has now.

        What cannot be made still stays as it is. Raises as `apply` does, DataError where it can make none.
        """
        return changes

    def copied(self, rows: CopiedRows) -> CopiedRows:
        """Rows that were read of `view`, as the target is to have them. Raises DataError where that cannot be had."""
        return rows
