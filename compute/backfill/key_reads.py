"""Rows of a copy that are read again by their keys, when the ranges are done: what no range could settle."""

from __future__ import annotations

from dataclasses import replace

from compute.backfill.departures import Departures
from compute.backfill.flight import Landings
from compute.backfill.patience import Patience
from compute.backfill.ports import CopyTables, KeyQuestion
from compute.backfill.reader import SourceReader
from rosetta.dialects.postgres.chunk_read import Key, ReadPlan

_FILL_ROUNDS = 20


class KeyReads:
    """Used by the copy's thread. After an OutageError each method may be called again."""

    def __init__(
        self,
        sync_id: int,
        reader: SourceReader,
        chunks: Departures,
        tables: CopyTables,
        patience: Patience,
        heard: Landings,
    ) -> None:
        """`heard` is nudged by answers."""
        self._sync_id = sync_id
        self._reader = reader
        self._chunks = chunks
        self._tables = tables
        self._patience = patience
        self._heard = heard

    def unfilled(self) -> list[Key]:
        """Keys, at most some hundred, of rows that still lack values."""
        return self._asked(lambda destination, target: destination.unfilled_keys(target))

    def fill(self, plan: ReadPlan) -> bool:
        """Reads rows again that arrived without some value and whose range brought none.

        Their keys changed while the copy ran, from where no chunk had been yet to where one had; or they lie in
        a range that was equal, or was not read, and were changed later. Each is noted once, so this ends as long as
        the notes change; what is left when they do not, the end of the copy refuses. Returns whether nothing was left.
        """
        stalled, known = 0, None
        while stalled < _FILL_ROUNDS:
            keys = self.unfilled()
            if not keys:
                return True
            stalled, known = (stalled + 1 if keys == known else 0), keys
            self._chunks.launch(plan.columns, self._reader.read_keys(plan, keys), complete=False)
            self._chunks.land()
        return False

    def remove_surplus(self, plan: ReadPlan) -> None:
        """Removes rows that the source does not have, where ranges of keys cannot tell: see `unconfirmed_keys`.

        Every row of the source was in some chunk, or the stream has written it since; a row of the target that
        neither has touched is surplus, unless the clock deceives. So those are looked up at the source, and go by
        the test that a chunk's missing rows go by.
        """
        after: Key | None = None
        while True:
            keys = self._asked(_unconfirmed_behind(after))
            if not keys:
                return
            read = self._reader.read_keys(plan, keys)
            self._chunks.launch(plan.columns, replace(read, keys=tuple(keys)), complete=True)
            self._chunks.land()
            after = keys[-1]

    def _asked(self, question: KeyQuestion) -> list[Key]:
        answers: list[list[Key]] = []

        def answered(keys: list[Key]) -> None:
            answers.append(keys)
            self._heard.nudge()

        self._tables.ask(self._sync_id, question, answered)
        while not answers:
            self._patience.pause()
        return answers[0]


def _unconfirmed_behind(after: Key | None) -> KeyQuestion:
    return lambda destination, target: destination.unconfirmed_keys(target, after)
