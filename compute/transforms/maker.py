"""Makes the rules of a pipeline's table syncs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from compute.transforms.custom_rules import CustomRules
from compute.transforms.row_rules import RowRules, SourceRows
from rosetta.custom_sql import Sandbox
from rosetta.enums import SyncMode
from rosetta.errors import OutageError, RosettaError
from rosetta.table_rules import MaskingKey, TableRules
from rosetta.types import TableSchema

_MOST_ANSWERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class RuleMaker:
    """`sandbox` starts its process with the first statement."""

    masking_key: MaskingKey
    rows: SourceRows
    sandbox: Sandbox = field(default_factory=Sandbox)
    answers: dict[tuple[str, TableSchema], RosettaError | None] = field(default_factory=dict, init=False, repr=False)

    def problem(self, declared: TableRules, source: TableSchema) -> RosettaError | None:
        """Why a statement may not run over the table; None when it may, or there is none.

        What else rules may have wrong, `TableRules.check` says. Raises OutageError while it cannot be checked.
        """
        if declared.custom_sql is None:
            return None
        asked = declared.custom_sql, source
        if asked not in self.answers:
            if len(self.answers) >= _MOST_ANSWERS:
                self.answers.clear()
            self.answers[asked] = self._answer(*asked)
        return self.answers[asked]

    def _answer(self, sql: str, source: TableSchema) -> RosettaError | None:
        try:
            self.sandbox.check(sql, source)
        except OutageError:
            raise
        except RosettaError as error:
            return error
        return None

    def make(self, sync_id: int, declared: TableRules, source: TableSchema, mode: SyncMode) -> RowRules | None:
        """None where nothing is asked for. Raises ConfigurationError where the rules do not fit the table.

        A statement is run to be checked: OutageError or DataError where that cannot be done now.
        """
        if not declared:
            return None
        if declared.custom_sql is None:
            return RowRules(sync_id, declared, source, mode, self.masking_key, self.rows)
        return CustomRules(sync_id, declared, source, mode, self.masking_key, self.rows, sandbox=self.sandbox)
