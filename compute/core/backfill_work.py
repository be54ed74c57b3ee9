"""Copies beside the stream: a table's writer notes what chunks must not overwrite, from their begin to their end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from compute.backfill.ports import ROWS_LACK_VALUES
from compute.core.work import Desk
from rosetta.errors import ConfigurationError, OutageError, RosettaError

Answer = Callable[[RosettaError | None], None]


@dataclass(frozen=True, slots=True)
class BeginBackfillWork:
    """From here on in the stream the table takes chunks. What an earlier owner left is taken over."""

    sync_id: int
    owner: str
    begun: Answer

    def run(self, desk: Desk) -> None:
        target = desk.targets.get(self.sync_id)
        if target is None or (target.copying and self.sync_id not in desk.backfills):
            self.begun(ConfigurationError("the table does not stream just now", code="TABLE_NOT_STREAMING"))
            return
        prepared = replace(target, copying=True)
        try:
            desk.destination.start_copy(prepared)
        except OutageError:
            raise
        except RosettaError as error:
            self.begun(error)
            return
        desk.targets[self.sync_id] = prepared
        desk.backfills[self.sync_id] = self.owner
        self.begun(None)


@dataclass(frozen=True, slots=True)
class EndCopyWork:
    """The last chunk is merged. Whose backfill a copy of the whole table has ended has nothing to end.

    Unless it is `final`, rows that arrived without some value since they were last looked for keep it from ending.
    `owner`: of a backfill; None for a copy of the whole table.
    """

    sync_id: int
    owner: str | None
    ended: Answer
    final: bool = True

    def run(self, desk: Desk) -> None:
        target = desk.targets.get(self.sync_id)
        if target is None or desk.backfills.get(self.sync_id) != self.owner:
            self.ended(None)
            return
        if not self.final and desk.destination.unfilled_keys(target):
            self.ended(ROWS_LACK_VALUES)
            return
        try:
            desk.destination.finish_copy(target)
        except OutageError:
            raise
        except RosettaError as error:
            desk.fail_table(self.sync_id, error)
            self.ended(error)
            return
        desk.targets[self.sync_id] = replace(target, copying=False)
        desk.backfills.pop(self.sync_id, None)
        self.ended(None)
