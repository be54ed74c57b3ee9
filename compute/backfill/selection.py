"""Which rows a backfill reads, where it does not read all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from compute.destinations.base import TableTarget
from rosetta.dialects.postgres.chunk_read import ReadPlan
from rosetta.enums import SyncMode
from rosetta.errors import UnsupportedError
from rosetta.filters import check_filters, parse_filters, postgres_condition


def passing_rows(plan: ReadPlan, target: TableTarget, filters: Sequence[Any]) -> ReadPlan:
    """How the rows that pass `filters` are read, of those that `plan` reads.

    Raises ConfigurationError where the filters do not fit the table, UnsupportedError where single rows cannot be
    brought to the target exactly.
    """
    if not plan.key and target.mode is SyncMode.CURRENT:
        raise UnsupportedError(
            f"{plan.table} has no key, so single rows of it cannot be found at the target",
            code="BACKFILL_NEEDS_KEY",
            remedy="Backfill the table without filters, or give it a primary key.",
        )
    row_filter = check_filters(target.source_schema, parse_filters(filters))
    passing = f"({postgres_condition(row_filter, 't')})"
    return replace(plan, condition=passing if plan.condition is None else f"{plan.condition} AND {passing}")
