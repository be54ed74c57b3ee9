"""The destination contract. A new destination is a dialect, a folder, a registry line and the contract tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from compute.core.batch import TableChanges
from compute.transforms import RowRules
from rosetta.enums import DeleteMode, SchemaPolicy, SyncMode
from rosetta.errors import ConfigurationError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition
from rosetta.types import TableSchema


class Durability(StrEnum):
    ACCEPTED = "ACCEPTED"  # the destination has it but may still lose it; ask `durable_position`
    DURABLE = "DURABLE"


@dataclass(frozen=True, slots=True)
class Gathering:
    """When what has gathered is written: as soon as one of these is reached, or a copy waits for it.

    Attributes:
        seconds: age of the oldest change.
        idle_bytes: length of the source's log; where it held nothing for the destination, its position is written then.
    """

    seconds: float = 60.0
    rows: int = 100_000
    bytes: int = 64_000_000
    idle_bytes: int = 64_000_000


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a destination can do, as data.

    `gathering`: each write costs, however small it is, so changes are gathered. None: they are written as they come.
    `patient`: a call may take minutes, for a warehouse that starts or for rows that land; until then it is not stuck.
    """

    gathering: Gathering | None = None
    patient: bool = False


@dataclass(frozen=True, slots=True)
class TableTarget:
    """One table sync as a destination sees it.

    Attributes:
        sync_id: `table_syncs.id`.
        schema: the shape of what arrives: the source's as of now, or what the rules make of it.
        target: where the rows go.
        copying: a copy of this table is under way, so deletes leave tombstones and rows that arrive without
            their unchanged TOAST values are noted, until `finish_copy`.
        rules: what is done to changes and chunks on their way here; a destination need not know. None: nothing.
        policy: what becomes of the target when its source changes its shape.
        anew: its copy begins from the start, so that whatever the source was before means nothing any more.
    """

    sync_id: int
    schema: TableSchema
    target: TableId
    mode: SyncMode = SyncMode.CURRENT
    delete_mode: DeleteMode = DeleteMode.HARD
    copying: bool = False
    rules: RowRules | None = None
    policy: SchemaPolicy = SchemaPolicy.EVOLVE
    anew: bool = False

    @property
    def source(self) -> TableId:
        return self.schema.table

    @property
    def source_schema(self) -> TableSchema:
        """The source's shape, as of now."""
        return self.schema if self.rules is None else self.rules.source

    def of(self, source: TableSchema) -> TableTarget:
        """This target, its source being like `source`. Raises ConfigurationError when the rules do not fit it."""
        if self.rules is None:
            return replace(self, schema=source)
        rules = self.rules.of(source)
        return replace(self, schema=rules.schema, rules=rules)


@dataclass(frozen=True, slots=True)
class TableWrite:
    """Changes of one table on their way to one target."""

    target: TableTarget
    changes: TableChanges


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """What one destination writes in one transaction: `truncated` first, then `writes` in order, then `end`.

    `end` is None for a replay of parked changes: they lie behind the position, which does not move, and each is
    applied or, where the target's row is newer, passed over and told as stale. A replay that comes again, because
    nobody learned whether it was committed, changes nothing. Where it empties tables, `truncated_at` says where in the
    stream that stood: rows that are newer stay.
    """

    end: StreamPosition | None
    truncated: tuple[TableTarget, ...] = ()
    writes: tuple[TableWrite, ...] = ()
    truncated_at: StreamPosition | None = None

    @property
    def truncation(self) -> StreamPosition:
        """Where the batch's truncations stand. Raises ConfigurationError for a replay that does not say so."""
        place = self.end if self.end is not None else self.truncated_at
        if place is None:
            raise ConfigurationError("a replayed truncation has no position", code="TRUNCATE_WITHOUT_POSITION")
        return place


@dataclass(frozen=True, slots=True)
class RowChunk:
    """Rows of a key range, read in one snapshot of the source, without the columns of META_COLUMNS.

    Attributes:
        columns: in the order of `data` (COPY text, or a file of it); its rows are in the order of their keys.
        lower, upper: key values as text; the range is lower < key <= upper; None is open. Both None and no
            key: the whole table.
        snapshot: text of the source's pg_current_snapshot() in which the rows were read.
        complete: the chunk holds every row of the range, so target rows that it lacks are gone; False for a
            filtered read.
        keys: the chunk is of these keys, as text, instead of a range.
        numbered_behind: of a table without a key in append mode: the ordinal that those of the rows follow. A complete
            chunk replaces what an earlier try left behind it, for all that lies there comes again; others are added.

    A table without a key whose current rows are kept is always one complete chunk: while such a target is `copying`,
    its changes are held back beside it, and the chunk replaces the target's rows, followed by those held changes that
    the chunk's snapshot does not see.
    """

    target: TableTarget
    columns: tuple[str, ...]
    data: bytes | Path
    row_count: int
    snapshot: str
    lower: tuple[str, ...] | None = None
    upper: tuple[str, ...] | None = None
    complete: bool = True
    keys: tuple[tuple[str, ...], ...] | None = None
    numbered_behind: int = 0


@dataclass(frozen=True, slots=True)
class RangeCheck:
    """What the source had in a key range (lower < key <= upper; None is open) in one snapshot.

    Attributes:
        columns: names of the compared columns, in the order of the checksum.
        checksum: sum of row hashes, see `rosetta.dialects.postgres.range_check`.
        snapshot, position: text of pg_current_snapshot(), and where the source's log ended no earlier than it.
    """

    target: TableTarget
    columns: tuple[str, ...]
    row_count: int
    checksum: str
    snapshot: str
    position: int
    lower: tuple[str, ...] | None = None
    upper: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A change that its target refuses whatever else is applied: one line, or the lines that a key's move links."""

    target: TableTarget
    changes: TableChanges
    error: RosettaError


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a destination did not apply of a batch.

    Attributes:
        tables: syncs, by id, of which nothing was applied: the table itself cannot take changes as it is.
        records: single changes; everything else of their table was applied.
    """

    tables: Mapping[int, RosettaError] = field(default_factory=dict)
    records: tuple[RefusedRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tables or self.records)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a write: rows applied, how sure it is, the position covered, and what was refused.

    `stale` names, for a replay, the changes by (sync_id, _lsn, _seq) that the target's rows were newer than.
    """

    rows: int
    durability: Durability
    position: StreamPosition | None
    refusal: Refusal = field(default_factory=Refusal)
    stale: frozenset[tuple[int, int, int]] = frozenset()


Refusals = Callable[[Refusal], None]


def ignore_refusals(refusal: Refusal) -> None:
    """For a caller that reads `WriteResult.refusal` and may lose it."""


class NothingPutOff:
    """For destinations whose writes are done when they return."""

    def catch_up(self, _refused: Refusals, /, *, wholly: bool = False) -> None:
        """See `Destination.catch_up`."""


class Destination(Protocol):
    """One writer's connection to one destination of one pipeline; used by one thread.

    Idempotence: a batch at or before `durable_position()` changes nothing; a row never goes back to an older
    (_lsn, _seq). Atomicity: rows, row versions, tombstones and progress of a batch commit together, without what
    is refused. Every method raises only errors of `rosetta.errors`: OutageError (try
    again, nothing was lost), DataError, ConfigurationError or FencedError.
    """

    capabilities: Capabilities

    def open(self, epoch: int) -> None:
        """Connects, creates Rosetta's own tables, and takes the fence: a smaller epoch is refused from now on."""

    def close(self) -> None:
        """Gives the connection back; safe after an outage and safe to call twice."""

    def ping(self) -> None:
        """Raises OutageError unless the destination answers."""

    def ensure_table(self, target: TableTarget) -> bool | None:
        """Creates the target table and the types it needs, adds missing columns, widens types; never drops or narrows.

        True when rows that it has from before may lack what the source has written into them without a change in the
        stream (a default that varies, a new type): they are to be copied again, and it answers so until they are.

        Raises SchemaMismatchError, with the difference and its remedy, when an existing table cannot hold the
        source's rows, or when `target.policy` leaves to a person what to do about a change of the source's shape.
        """

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        """Applies a batch in one transaction, one savepoint per table.

        A table whose changes are refused together is tried again in commit order, also behind the other tables
        (a unique value that one row hands to another, a foreign key to a row further on, are no errors then),
        and taken apart until only the changes are left out that nothing helps.

        `refused` is called with those, where there are any, before the commit: once the position is durable a
        refusal that nobody wrote down would be lost with a crash. What it raises undoes the batch.
        """

    def catch_up(self, refused: Refusals, /, *, wholly: bool = False) -> None:
        """Does what `write_changes` has put off, where its time has come; one that puts nothing off does nothing.

        Called again and again, also while nothing comes. `wholly`: all of it, and waits for it if need be; so it is
        called before anything else than changes is done. `refused` is called as by `write_changes`.
        """

    def write_rows(self, chunk: RowChunk, refused: Refusals | None = None) -> int:
        """Merges a chunk, never over a newer change; returns the rows written.

        Called when the chunk's watermark came down the stream. Rows of a table with a key that the target refuses
        one by one are left out and told to `refused`, before the commit as by `write_changes`: each as a change that
        is newer than what the target has under its key, and older than whatever the chunk did not see. Without
        `refused`, in append mode and without a key, DataError is raised and nothing was merged.
        """

    def matches(self, check: RangeCheck, /) -> bool:
        """Whether the target has the very rows of the range, none of them newer than the check's snapshot.

        Then the range counts as merged: a chunk read in that snapshot would change nothing. False where that is
        not so or cannot be told; the range is copied then. Called when the check's watermark came down the stream.
        """

    def start_copy(self, target: TableTarget) -> None:
        """Prepares for chunks of `target`; called before the first change with `copying` set is written."""

    def unfilled_keys(self, target: TableTarget) -> list[tuple[str, ...]]:
        """Keys, at most some hundred, of rows that arrived without all of their values while a copy runs.

        After the last chunk only rows whose key changed meanwhile are left; they are read again and merged as
        a chunk that is not complete. A destination that notes no such rows answers nothing.
        """

    def unconfirmed_keys(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]:
        """Keys, as text, of rows that neither a chunk nor the stream has written since the copy began.

        At most some hundred, those behind `after` in the target's own order. The source may not have such rows any
        more; a destination that cannot tell answers nothing.
        """

    def finish_copy(self, target: TableTarget) -> None:
        """Forgets tombstones and notes of a finished copy. Raises DataError while `unfilled_keys` has any."""

    def durable_position(self) -> StreamPosition | None:
        """How far this destination is, from its own progress row; None before the first write."""
