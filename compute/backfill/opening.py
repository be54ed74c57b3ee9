"""Begin and end of a copy at its table's writer."""

from __future__ import annotations

from functools import partial

from compute.backfill.flight import Landings
from compute.backfill.parts import CopyParts
from compute.backfill.patience import Patience
from compute.backfill.ports import ROWS_LACK_VALUES
from rosetta.errors import RosettaError


class Opening:
    """What a copy asks of its table's writer; used by the copy's thread.

    A copy of the whole table is open from the start: the table was served for it. `failure`: why the table failed at
    its end.
    """

    def __init__(self, sync_id: int, owner: str | None, parts: CopyParts, landings: Landings) -> None:
        """`owner`: the token of a part of a backfill, whose table streams; None for a copy of the whole table."""
        self._sync_id = sync_id
        self._owner = owner
        self._parts = parts
        self._landings = landings
        self.is_open = owner is None
        self.failure: RosettaError | None = None

    def open(self, patience: Patience) -> None:
        """Returns when the writer takes chunks; safe to call again. Raises why it does not."""
        if self.is_open or self._owner is None:
            return
        answers: list[RosettaError | None] = []
        self._parts.tables.begin_backfill(self._sync_id, self._owner, partial(self._told, answers))
        while not answers:
            patience.pause()
        if answers[0] is not None:
            raise answers[0]
        self.is_open = True

    def close(self, patience: Patience, *, final: bool = True) -> bool:
        """Returns True when the table only streams; safe to call again. Raises why it failed instead.

        False, and nothing has changed, where rows still lack values, unless it is `final`.
        """
        if not self.is_open:
            return True
        answers: list[RosettaError | None] = []
        told = partial(self._told, answers)
        self._parts.tables.end_copy(self._sync_id, self._owner, told, final=final)
        self.is_open = False
        while not answers:
            patience.pause()
        self.is_open = answers == [ROWS_LACK_VALUES]
        if not self.is_open and answers[0] is not None:
            self.failure = answers[0]
            raise answers[0]
        return not self.is_open

    def leave(self) -> None:
        """Has the table stream on without waiting for it: the job is no longer wanted.

        Where the process ends everything is left as it is, for the next one to go on with.
        """
        if self.is_open and not self._parts.stopping.is_set():
            self._parts.tables.end_copy(self._sync_id, self._owner, lambda _: None)

    def _told(self, answers: list[RosettaError | None], error: RosettaError | None) -> None:
        answers.append(error)
        self._landings.nudge()
