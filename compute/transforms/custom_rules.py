"""Rules that are a statement of the user's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from compute.core.batch import TableChanges
from compute.transforms.row_rules import CopiedRows, RowRules
from rosetta.custom_sql import Sandbox, Statement
from rosetta.table_rules import SourceView, TableRules, source_view
from rosetta.types import TableSchema


@dataclass(frozen=True)
class CustomRules(RowRules):
    """Rules of a `custom_sql`. Raises ConfigurationError where the statement may not run over the table."""

    sandbox: Sandbox = field(kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.statement

    @cached_property
    def statement(self) -> Statement:
        """The statement, checked against the table as it is."""
        return self.sandbox.check(self.declared.custom_sql or "", self.source)

    @cached_property
    def schema(self) -> TableSchema:
        return self.statement.output(self.source)

    @cached_property
    def view(self) -> SourceView:
        """All of the source: what the statement makes of it is only known once it was run."""
        return source_view(TableRules(), self.source, self.masking_key)

    @property
    def masks_key(self) -> bool:
        return False

    @property
    def comparable(self) -> bool:
        return False

    def apply(self, changes: TableChanges) -> TableChanges:
        from compute.transforms.custom import apply

        return apply(self, self.statement, self.sandbox, changes)

    def lacks_rows(self, changes: TableChanges) -> bool:
        return changes.has_unchanged  # the statement only sees whole rows

    def again(self, changes: TableChanges) -> TableChanges:
        from compute.transforms.recomputing import again

        return again(self, self.statement, changes) if self.lacks_rows(changes) else changes

    def copied(self, rows: CopiedRows) -> CopiedRows:
        from compute.transforms.custom import copied

        return copied(self, self.statement, self.sandbox, rows)
