"""Makes the rules of a pipeline's table syncs."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.transforms.custom_rules import CustomRules
from compute.transforms.row_rules import RowRules, SourceRows
from rosetta.custom_sql import Sandbox
from rosetta.enums import SyncMode
from rosetta.table_rules import MaskingKey, TableRules
from rosetta.types import TableSchema


@dataclass(frozen=True, slots=True)
class RuleMaker:
    """`sandbox` starts its process with the first statement."""

    masking_key: MaskingKey
    rows: SourceRows
    sandbox: Sandbox = field(default_factory=Sandbox)

    def make(self, sync_id: int, declared: TableRules, source: TableSchema, mode: SyncMode) -> RowRules | None:
        """None where nothing is asked for. Raises ConfigurationError where the rules do not fit the table.

        A statement is run to be checked: OutageError or DataError where that cannot be done now.
        """
        if not declared:
            return None
        if declared.custom_sql is None:
            return RowRules(sync_id, declared, source, mode, self.masking_key, self.rows)
        return CustomRules(sync_id, declared, source, mode, self.masking_key, self.rows, sandbox=self.sandbox)
