"""The comparison of one source table with one target table."""

from __future__ import annotations

from rosetta.dialects.postgres.checksum import Key
from rosetta.types.schema import TableSchema
from rosetta.verification.differences import describe
from rosetta.verification.pairing import PairedTables
from rosetta.verification.report import Outcome, TableReport
from rosetta.verification.request import Bounds, TablePair, Target
from rosetta.verification.scan import TableScan
from rosetta.verification.session import Sides
from rosetta.verification.settling import Settlement, Settling


def compare_tables(sides: Sides, pair: TablePair, schema: TableSchema, target: Target, bounds: Bounds) -> TableReport:
    """Compares all rows. Raises the errors of `rosetta.errors` when a side cannot be read."""
    source_facts = sides.source.facts(pair.source)
    if source_facts is None:
        return TableReport(pair.source, pair.target, Outcome.NOT_COMPARED, reason="the source has no such table")
    tables = sides.target.paired(pair, schema, source_facts)
    if tables is None:
        return TableReport(pair.source, pair.target, Outcome.DIFFERENT, reason="the target has no such table")
    if not tables.comparable:
        return TableReport(
            pair.source,
            pair.target,
            Outcome.DIFFERENT,
            reason="the target lacks " + _listed(tables.missing_columns),
            missing_columns=tables.missing_columns,
        )
    scan = TableScan(sides, tables, bounds)
    settling = Settling(sides, tables, target.pipeline, bounds.deadline_seconds + target.lag_seconds)
    found, truncated = _settled(scan, settling, bounds.max_differences)
    return _report(sides, tables, scan, found, truncated=truncated, reveal=bounds.reveal_values)


def _settled(scan: TableScan, settling: Settling, limit: int) -> tuple[Settlement, bool]:
    """Settles what the scan suspects, some `limit` keys at a time; True when the limit ended the scan."""
    found = Settlement()
    pending: set[Key] = set()
    for keys in scan.suspects():
        pending |= keys - found.different.keys() - found.unsettled
        if len(found) + len(pending) < limit:
            continue
        found.add(settling.settle(pending))
        pending = set()
        if len(found) >= limit:
            return found, True
    if pending:
        found.add(settling.settle(pending))
    return found, False


def _report(
    sides: Sides,
    tables: PairedTables,
    scan: TableScan,
    found: Settlement,
    *,
    truncated: bool,
    reveal: bool,
) -> TableReport:
    differences, changed_meanwhile = describe(sides, tables, found.different, reveal=reveal)
    unsettled = len(found.unsettled) + changed_meanwhile
    reason = None
    if tables.missing_columns:
        reason = "the target lacks " + _listed(tables.missing_columns)
    elif unsettled and not differences:
        reason = f"{unsettled} rows kept changing until the deadline"
    different = bool(differences or tables.missing_columns)
    undecided = Outcome.NOT_COMPARED if unsettled else Outcome.EQUAL
    return TableReport(
        source=tables.pair.source,
        target=tables.pair.target,
        outcome=Outcome.DIFFERENT if different else undecided,
        key_columns=tables.key,
        reason=reason,
        missing_columns=tables.missing_columns,
        uncompared_columns=tables.uncompared_columns,
        source_rows=scan.effort.source_rows,
        target_rows=scan.effort.target_rows,
        rows_hashed=scan.effort.rows_hashed,
        rows_fetched=scan.effort.rows_fetched,
        differences=differences,
        truncated=truncated,
        unsettled=unsettled,
    )


def _listed(columns: tuple[str, ...]) -> str:
    return f"column{'s' if len(columns) > 1 else ''} {', '.join(columns)}"
