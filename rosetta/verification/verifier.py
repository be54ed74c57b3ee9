"""Compares the tables of a source with those of a target, several at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

from rosetta.dialects.postgres.catalog import parse_tables, tables_sql
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.postgres import PostgresEndpoint
from rosetta.types.schema import TableSchema
from rosetta.verification.comparison import compare_tables
from rosetta.verification.report import Outcome, TableReport, VerificationReport
from rosetta.verification.request import Bounds, TablePair, Target
from rosetta.verification.session import PostgresSession, Sides, target_session


def verify_tables(
    source: PostgresEndpoint, target: Target, pairs: Sequence[TablePair], bounds: Bounds | None = None
) -> VerificationReport:
    """Compares every pair row by row; changes nothing and locks nothing.

    Values are compared by their exact text: NULL differs from the empty string, and trailing spaces and the
    scale of a numeric count. Every statement is a transaction of its own. A table that cannot be compared (an
    outage, a timeout, a missing right) is reported so with its reason, and the others are compared.

    Raises none of `rosetta.errors`: a side that cannot be reached is the report's reason.
    """
    bounds = bounds or Bounds()
    started = time.monotonic()
    try:
        schemas = _schemas(source, pairs, bounds)
        # once here, so that a target that is away is said once and not waited for per table
        target_session(target, bounds).close()
    except RosettaError as error:
        return VerificationReport(target.name, (), time.monotonic() - started, reason=error.message)
    with ThreadPoolExecutor(max(1, bounds.jobs), thread_name_prefix="verify") as threads:
        reports = tuple(
            threads.map(lambda pair: _verify_pair(source, target, pair, schemas.get(pair.source), bounds), pairs)
        )
    return VerificationReport(target.name, reports, time.monotonic() - started)


def _schemas(source: PostgresEndpoint, pairs: Sequence[TablePair], bounds: Bounds) -> Mapping[TableId, TableSchema]:
    given = {pair.source: pair.schema for pair in pairs if pair.schema is not None}
    wanted = dict.fromkeys(pair.source for pair in pairs if pair.schema is None)
    with closing(PostgresSession(source, bounds)) as session:
        return parse_tables(session.value(tables_sql(wanted))) | given


def _verify_pair(
    source: PostgresEndpoint, target: Target, pair: TablePair, schema: TableSchema | None, bounds: Bounds
) -> TableReport:
    started = time.monotonic()
    obstacle = pair.obstacle or (None if schema else "the source has no such table")
    if schema is None or obstacle:
        return TableReport(pair.source, pair.target, Outcome.NOT_COMPARED, reason=obstacle)
    try:
        with Sides(source, target, bounds) as sides:
            report = compare_tables(sides, pair, schema, target, bounds)
    except RosettaError as error:
        report = TableReport(pair.source, pair.target, Outcome.NOT_COMPARED, reason=error.message)
    return replace(report, seconds=time.monotonic() - started)
