"""Tells rows that differ from rows that are only on their way.

A key is settled as equal as soon as both sides agree on it. It is settled as different once the target had passed
the source's position when it was read and the source's row did not change meanwhile; or, where that position is
unknown or not reached by the deadline, when neither side changed between the last two looks. What kept changing
stays unsettled.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rosetta.dialects.postgres.checksum import (
    ComparedTable,
    Key,
    current_position_sql,
)
from rosetta.lsn import Lsn
from rosetta.verification.pairing import PairedTables
from rosetta.verification.session import Session, Sides

# The rows of one key as (hash, copies); empty: there is none.
RowState = frozenset[tuple[str, int]]
_ABSENT: RowState = frozenset()
_Look = tuple[RowState, RowState]  # source, target

_KEYS_PER_LOOKUP = 1_000
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Settled:
    """A key that differs: the rows of both sides, and whether the target had passed the source's position."""

    source: RowState
    target: RowState
    in_position: bool


@dataclass(slots=True)
class Settlement:
    different: dict[Key, Settled] = field(default_factory=dict)
    unsettled: set[Key] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.different) + len(self.unsettled)

    def add(self, other: Settlement) -> None:
        self.different.update(other.different)
        self.unsettled |= other.unsettled


class Settling:
    """Looks at keys again and again until they are settled. Uses the sides' sessions, so one thread at a time."""

    def __init__(
        self, sides: Sides, tables: PairedTables, pipeline: tuple[int, int] | None, deadline_seconds: float
    ) -> None:
        self._sides = sides
        self._tables = tables
        self._pipeline = pipeline
        self._deadline_seconds = deadline_seconds
        self._has_progress = bool(sides.target.value(sides.target.dialect.progress_exists_sql()))

    def settle(self, keys: Iterable[Key]) -> Settlement:
        """Returns when every key is settled or the deadline has passed; each key is looked at twice at least."""
        end = time.monotonic() + self._deadline_seconds
        found = Settlement()
        before = self._states(self._sides.source, self._tables.source, list(keys))
        floor = self._source_position()
        seen: dict[Key, _Look] = {}
        pause = _FIRST_PAUSE_SECONDS
        while True:
            started = time.monotonic()
            passed = self._target_passed(floor)
            looks = self._look(list(before))
            if passed:
                found.different.update(
                    (key, Settled(*look, in_position=True)) for key, look in looks.items() if look[0] == before[key]
                )
                looks = {key: look for key, look in looks.items() if key not in found.different}
            if not looks:
                return found
            if seen and started >= end:
                _judge_as_they_stand(looks, seen, found)
                return found
            before = {key: look[0] if passed else before[key] for key, look in looks.items()}
            floor = self._source_position() if passed else floor
            seen = looks
            # a dear look (a table without an index on the key is read whole) is taken less often
            pause = max(min(pause * 2, _LONGEST_PAUSE_SECONDS), 2 * (time.monotonic() - started))
            time.sleep(max(0.0, min(pause, end - time.monotonic())))

    def _look(self, keys: list[Key]) -> dict[Key, _Look]:
        """Both sides' rows of the keys that differ; the target is read first, so it cannot be ahead."""
        target = self._states(self._sides.target, self._tables.target, keys)
        source = self._states(self._sides.source, self._tables.source, keys)
        return {key: (source[key], target[key]) for key in keys if source[key] != target[key]}

    def _states(self, session: Session, table: ComparedTable, keys: list[Key]) -> dict[Key, RowState]:
        states = dict.fromkeys(keys, _ABSENT)
        at_once = _KEYS_PER_LOOKUP if table.typed_key and table.key else len(keys)
        for part in _parts(keys, at_once):
            for found, row_hash, copies in session.rows(session.dialect.lookup_sql(table, part)):
                key = session.dialect.fields_of(found)
                if key in states:
                    states[key] |= {(row_hash, copies)}
        return states

    def _source_position(self) -> Lsn:
        return Lsn.parse(self._sides.source.value(current_position_sql()))

    def _target_passed(self, floor: Lsn) -> bool:
        if not self._has_progress:
            return False
        target = self._sides.target
        reached = target.value(target.dialect.progress_sql(self._pipeline))
        return reached is not None and Lsn.parse(reached) >= floor


def _judge_as_they_stand(looks: Mapping[Key, _Look], seen: Mapping[Key, _Look], found: Settlement) -> None:
    for key, look in looks.items():
        if seen.get(key) == look:
            found.different[key] = Settled(*look, in_position=False)
        else:
            found.unsettled.add(key)


def _parts(keys: list[Key], size: int) -> Iterator[list[Key]]:
    for start in range(0, len(keys), max(size, 1)):
        yield keys[start : start + size]
