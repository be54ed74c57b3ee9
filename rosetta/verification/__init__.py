"""Row-level comparison of a source's tables with a target's, and what would repair the target."""

from rosetta.verification.report import (
    DifferenceKind,
    Outcome,
    PipelineReport,
    RepairPlan,
    RowDifference,
    TableRepair,
    TableReport,
    VerificationReport,
    reports_as_json,
)
from rosetta.verification.request import Bounds, TablePair, Target
from rosetta.verification.verifier import verify_tables

__all__ = [
    "Bounds",
    "DifferenceKind",
    "Outcome",
    "PipelineReport",
    "RepairPlan",
    "RowDifference",
    "TablePair",
    "TableRepair",
    "TableReport",
    "Target",
    "VerificationReport",
    "reports_as_json",
    "verify_tables",
]
