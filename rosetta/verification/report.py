"""What a verification found. Its JSON form is public: `SCHEMA_VERSION` rises when a field changes its meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from rosetta.dialects.postgres.checksum import Key
from rosetta.identifiers import TableId

SCHEMA_VERSION: Final = 1


class Outcome(StrEnum):
    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    NOT_COMPARED = "NOT_COMPARED"  # nothing is claimed; the reason says why

    @property
    def exit_code(self) -> int:
        return {Outcome.EQUAL: 0, Outcome.DIFFERENT: 1, Outcome.NOT_COMPARED: 2}[self]

    @classmethod
    def of_all(cls, outcomes: Iterable[Outcome]) -> Outcome:
        """A difference outweighs what was not compared; nothing at all is not a comparison."""
        found = set(outcomes)
        if cls.DIFFERENT in found:
            return cls.DIFFERENT
        return cls.EQUAL if found == {cls.EQUAL} else cls.NOT_COMPARED


class DifferenceKind(StrEnum):
    MISSING = "MISSING"  # the source has more of this row than the target
    EXTRA = "EXTRA"  # the target has more of this row than the source
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class RowDifference:
    """One key, or for a table without a key one row hash, that differs.

    Attributes:
        key: exact text of the key columns; empty for a table without a key.
        row_hash: SHA-256 of the row, for a table without a key.
        columns: the source's names of the columns that differ; set for CHANGED only.
        values: source and target text of each of `columns`; None unless values were asked for.
        in_position: the target had passed the source's position when it was read, so the difference is not in
            flight; False where it only did not change on either side until the deadline.
    """

    kind: DifferenceKind
    key: Key
    source_copies: int
    target_copies: int
    in_position: bool
    row_hash: str | None = None
    columns: tuple[str, ...] = ()
    values: Mapping[str, tuple[str | None, str | None]] | None = None

    def as_json(self) -> dict[str, Any]:
        shape: dict[str, Any] = {
            "kind": self.kind.value,
            "key": list(self.key),
            "row_hash": self.row_hash,
            "columns": list(self.columns),
            "source_copies": self.source_copies,
            "target_copies": self.target_copies,
            "in_position": self.in_position,
        }
        if self.values is not None:
            shape["values"] = {
                name: {"source": source, "target": target} for name, (source, target) in self.values.items()
            }
        return shape


@dataclass(frozen=True, slots=True)
class TableRepair:
    """Keys to read again at the source and to write, or where the source has none to delete, at the target.

    `keys` is None where single keys do not do: the table has no key, or there are more than were counted.
    """

    source: TableId
    target: TableId
    key_columns: tuple[str, ...]
    keys: tuple[Key, ...] | None

    def as_json(self) -> dict[str, Any]:
        return {
            "source": str(self.source),
            "target": str(self.target),
            "key_columns": list(self.key_columns),
            "keys": None if self.keys is None else [list(key) for key in self.keys],
        }


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What would make the targets equal; carried out elsewhere."""

    tables: tuple[TableRepair, ...]


@dataclass(frozen=True, slots=True)
class TableReport:
    """The comparison of one source table with one target table.

    Attributes:
        reason: why it was not compared, or what differs apart from rows (a table or columns are missing).
        missing_columns: source columns that the target lacks; the others were compared.
        uncompared_columns: source columns whose values the target keeps in another form: it was only compared whether
            there is a value.
        source_rows, target_rows: rows compared on each side.
        rows_hashed: source rows hashed, counting a row again each time a range was descended into.
        rows_fetched: (key, hash) pairs that left either server.
        truncated: the count of differences reached its limit, so there may be more.
        unsettled: keys that kept changing until the deadline, about which nothing can be said.
    """

    source: TableId
    target: TableId
    outcome: Outcome
    key_columns: tuple[str, ...] = ()
    reason: str | None = None
    missing_columns: tuple[str, ...] = ()
    uncompared_columns: tuple[str, ...] = ()
    source_rows: int = 0
    target_rows: int = 0
    rows_hashed: int = 0
    rows_fetched: int = 0
    differences: tuple[RowDifference, ...] = ()
    truncated: bool = False
    unsettled: int = 0
    seconds: float = 0.0

    @property
    def remark(self) -> str | None:
        """The reason, and what was not compared of the values."""
        columns = ", ".join(self.uncompared_columns)
        parts = [self.reason, f"of {columns} only whether there is a value was compared" if columns else None]
        return "; ".join(part for part in parts if part) or None

    def repair(self) -> TableRepair | None:
        """None when there is nothing to repair by rows."""
        if not self.differences:
            return None
        by_key = self.key_columns and not self.truncated
        keys = tuple(sorted(difference.key for difference in self.differences)) if by_key else None
        return TableRepair(self.source, self.target, self.key_columns, keys)

    def as_json(self) -> dict[str, Any]:
        return {
            "source": str(self.source),
            "target": str(self.target),
            "outcome": self.outcome.value,
            "reason": self.reason,
            "missing_columns": list(self.missing_columns),
            "uncompared_columns": list(self.uncompared_columns),
            "source_rows": self.source_rows,
            "target_rows": self.target_rows,
            "difference_count": len(self.differences),
            "truncated": self.truncated,
            "unsettled": self.unsettled,
            "key_columns": list(self.key_columns),
            "differences": [difference.as_json() for difference in self.differences],
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """All tables of one destination; `destination` is its name."""

    destination: str
    tables: tuple[TableReport, ...]
    seconds: float = 0.0
    reason: str | None = field(default=None)  # why the destination as a whole could not be compared

    @property
    def outcome(self) -> Outcome:
        """NOT_COMPARED as well where there was no table to compare."""
        return Outcome.NOT_COMPARED if self.reason else Outcome.of_all(table.outcome for table in self.tables)

    def repair_plan(self) -> RepairPlan:
        repairs = (table.repair() for table in self.tables)
        return RepairPlan(tuple(repair for repair in repairs if repair is not None))

    def as_json(self) -> dict[str, Any]:
        return {
            "destination": self.destination,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "tables": [table.as_json() for table in self.tables],
            "repair": [repair.as_json() for repair in self.repair_plan().tables],
        }


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """All destinations of a pipeline; `pipeline` is None where two databases were named instead."""

    pipeline: str | None
    destinations: tuple[VerificationReport, ...] = ()
    reason: str | None = None  # why nothing could be compared

    @property
    def outcome(self) -> Outcome:
        if self.reason:
            return Outcome.NOT_COMPARED
        return Outcome.of_all(report.outcome for report in self.destinations)

    def as_json(self) -> dict[str, Any]:
        return {
            "pipeline": self.pipeline,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "destinations": [report.as_json() for report in self.destinations],
        }


def reports_as_json(reports: Sequence[PipelineReport]) -> dict[str, Any]:
    """The document that `rosetta verify --json` prints.

    {"version", "outcome", "exit_code", "pipelines": [{"pipeline", "outcome", "reason", "destinations": [
    {"destination", "outcome", "reason", "seconds", "tables": [{"source", "target", "outcome", "reason",
    "missing_columns", "uncompared_columns", "source_rows", "target_rows", "difference_count", "truncated",
    "unsettled", "key_columns", "differences": [{"kind", "key", "row_hash", "columns", "source_copies",
    "target_copies", "in_position", "values"?}], "seconds"}], "repair": [{"source", "target", "key_columns", "keys"}]
    }]}]}
    """
    outcome = Outcome.of_all(report.outcome for report in reports)
    return {
        "version": SCHEMA_VERSION,
        "outcome": outcome.value,
        "exit_code": outcome.exit_code,
        "pipelines": [report.as_json() for report in reports],
    }
