"""The process of one verification: compares, stores counts, and asks for a resync of what differs when it may."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from compute.config.settings import Settings
from compute.core.catalog.verify_runs import VerifyRun
from compute.core.child import bind_to_parent
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.verification import Bounds, DifferenceKind, Outcome, PipelineReport, TableReport, VerificationReport

REPORT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class VerifySpec:
    """All that the process is given."""

    run: VerifyRun
    instance_id: str
    settings: Settings


def run_verification(spec: VerifySpec) -> None:
    """Carries the run out, whatever its end, and stores it. Raises only while the config database is away."""
    bind_to_parent()
    from compute.core.catalog import Catalog
    from rosetta import logs
    from rosetta.verification.pipeline import Selection, verify_pipelines

    settings, run = spec.settings, spec.run
    logs.configure("compute", settings.effective_log_level, settings.log_folder)
    catalog = Catalog(settings, spec.instance_id, application=f"rosetta verify {run.pipeline}", connections=1)
    try:
        url = settings.config_database_url
        bounds = Bounds(ends_at=time.monotonic() + settings.verify_max_seconds)
        found = verify_pipelines(url, catalog.keyring, run.pipeline, Selection(run.destination), bounds)[0]
        asked = catalog.verify_runs.resync(run.pipeline_id, _different(found)) if run.repair else set()
        parked = catalog.verify_runs.parked(run.pipeline_id)
        catalog.verify_runs.finish(run.run_id, counts_of(found, parked, asked))
    except RosettaError as error:
        catalog.verify_runs.fail(run.run_id, error.message)
    finally:
        catalog.close()


def counts_of(
    report: PipelineReport, parked: Mapping[str, int], asked: set[tuple[str, TableId]] | None = None
) -> dict[str, Any]:
    """The report as it is stored: counts of rows and keys, never a key or a value."""
    return {
        "version": REPORT_VERSION,
        "outcome": report.outcome.value,
        "reason": report.reason,
        "destinations": [
            _destination(each, parked.get(each.destination, 0), asked or set()) for each in report.destinations
        ],
    }


def _destination(report: VerificationReport, parked: int, asked: set[tuple[str, TableId]]) -> dict[str, Any]:
    return {
        "destination": report.destination,
        "outcome": report.outcome.value,
        "reason": report.reason,
        "seconds": round(report.seconds, 3),
        "parked_changes": parked,
        "tables": [_table(table, (report.destination, table.target) in asked) for table in report.tables],
    }


def _table(table: TableReport, resync_asked: bool) -> dict[str, Any]:
    kinds = Counter(difference.kind for difference in table.differences)
    return {
        "source": str(table.source),
        "target": str(table.target),
        "outcome": table.outcome.value,
        "reason": table.remark,
        "missing_columns": list(table.missing_columns),
        "source_rows": table.source_rows,
        "target_rows": table.target_rows,
        "difference_count": len(table.differences),
        **{kind.value.lower(): kinds[kind] for kind in DifferenceKind},
        "truncated": table.truncated,
        "unsettled": table.unsettled,
        "seconds": round(table.seconds, 3),
        "resync_asked": resync_asked,
    }


def _different(report: PipelineReport) -> list[tuple[str, TableId, TableId]]:
    return [
        (each.destination, table.source, table.target)
        for each in report.destinations
        for table in each.tables
        if table.outcome is Outcome.DIFFERENT
    ]
