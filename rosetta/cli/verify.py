"""`rosetta verify`: is what the targets hold what the source holds?"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rosetta.cli.target import config_database_url, keyring
from rosetta.cli.telling import tell
from rosetta.database import url_endpoint
from rosetta.errors import RosettaError
from rosetta.verification import (
    Bounds,
    Outcome,
    PipelineReport,
    RowDifference,
    TableReport,
    Target,
    VerificationReport,
    reports_as_json,
)
from rosetta.verification.pipeline import Selection, verify_databases, verify_pipelines

DIFFERENCES_SHOWN = 20


def verify(  # noqa: PLR0913 - one parameter for each option
    pipeline: Annotated[str | None, typer.Argument(help="Name of the pipeline; all of them when left out.")] = None,
    *,
    table: Annotated[list[str] | None, typer.Option(help="Source table `schema.table`; may be repeated.")] = None,
    destination: Annotated[str | None, typer.Option(help="Name of one destination.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    deadline_seconds: Annotated[
        float, typer.Option(min=0, help="How long a difference may take to arrive at the target.")
    ] = 30.0,
    jobs: Annotated[int, typer.Option(min=1, help="Tables compared at a time.")] = 2,
    statement_timeout_seconds: Annotated[int, typer.Option(min=1, help="Of each statement on either side.")] = 300,
    max_seconds: Annotated[
        float | None, typer.Option(min=1, help="Of everything; what is not compared by then is reported so.")
    ] = None,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show the values that differ.")] = False,
    source_url: Annotated[
        str | None, typer.Option(help="Compare two databases without a config database: the source's URL.")
    ] = None,
    target_url: Annotated[str | None, typer.Option(help="With --source-url: the target's URL.")] = None,
    publication: Annotated[str | None, typer.Option(help="With --source-url: the source's publication.")] = None,
) -> None:
    """Compare every row of a pipeline's tables with its targets, while it runs.

    Exit code: 0 everything is equal, 1 something differs, 2 something could not be compared.
    """
    bounds = Bounds(
        deadline_seconds=deadline_seconds,
        statement_timeout_seconds=statement_timeout_seconds,
        jobs=jobs,
        reveal_values=show_values,
        ends_at=math.inf if max_seconds is None else time.monotonic() + max_seconds,
    )
    tables = tuple(_qualified(name) for name in table or ())
    try:
        if source_url or target_url or publication:
            reports = [_databases(source_url, target_url, publication, tables, bounds)]
        else:
            selection = Selection(destination, tables)
            reports = verify_pipelines(config_database_url(), keyring(), pipeline, selection, bounds)
    except RosettaError as error:
        # not left to the command's own handler: there 1 is an error, here it means "different"
        tell(error)
        raise typer.Exit(Outcome.NOT_COMPARED.exit_code) from None
    if as_json:
        print(json.dumps(reports_as_json(reports), indent=2, ensure_ascii=False))
    else:
        _show(reports)
    raise typer.Exit(Outcome.of_all(report.outcome for report in reports).exit_code)


def _databases(
    source_url: str | None, target_url: str | None, publication: str | None, tables: tuple[str, ...], bounds: Bounds
) -> PipelineReport:
    if not (source_url and target_url and publication):
        raise typer.BadParameter("--source-url, --target-url and --publication go together")
    endpoint = url_endpoint(target_url)
    return verify_databases(url_endpoint(source_url), Target(str(endpoint), endpoint), publication, tables, bounds)


def _qualified(name: str) -> str:
    return name if "." in name else f"public.{name}"


def _show(reports: Sequence[PipelineReport]) -> None:
    console = Console(highlight=False)
    for report in reports:
        if report.pipeline is not None:
            console.print(f"pipeline {report.pipeline}", markup=False)
        if report.reason:
            console.print(f"  could not be compared: {report.reason}", markup=False)
        for destination in report.destinations:
            _show_destination(console, destination)


def _show_destination(console: Console, report: VerificationReport) -> None:
    console.print(f"destination {report.destination}: {_word(report.outcome)}, {report.seconds:.1f} s", markup=False)
    if report.reason:
        console.print(f"  could not be compared: {report.reason}", markup=False)
    if not report.tables:
        return
    shown = Table(box=None, pad_edge=False)
    shown.add_column("table", overflow="fold")
    shown.add_column("outcome", no_wrap=True)
    for name in ("rows", "differences", "seconds"):
        shown.add_column(name, justify="right", no_wrap=True)
    for table in report.tables:
        shown.add_row(*(console.render_str(text, markup=False) for text in _cells(table)))
    console.print(shown)
    for table in report.tables:
        for line in _details(table):
            console.print(line, markup=False, soft_wrap=True)


def _cells(table: TableReport) -> tuple[str, ...]:
    name = str(table.source) if table.source == table.target else f"{table.source} -> {table.target}"
    count = f"{len(table.differences)}{'+' if table.truncated else ''}"
    return (name, _word(table.outcome), str(table.source_rows), count, f"{table.seconds:.1f}")


def _details(table: TableReport) -> list[str]:
    lines = [f"{table.source}: {table.remark}"] if table.remark else []
    lines += [f"{table.source}: {_sentence(table, found)}" for found in table.differences[:DIFFERENCES_SHOWN]]
    more = len(table.differences) - DIFFERENCES_SHOWN
    return lines + ([f"{table.source}: and {more} more, all of them with --json"] if more > 0 else [])


def _sentence(table: TableReport, found: RowDifference) -> str:
    if found.row_hash is not None:
        row = f"row {found.row_hash[:16]}, {found.source_copies} in the source, {found.target_copies} in the target"
    else:
        row = ", ".join(f"{name}={value!r}" for name, value in zip(table.key_columns, found.key, strict=True))
    columns = f": {', '.join(found.columns)}" if found.columns else ""
    if found.values is not None:
        columns = ": " + ", ".join(f"{name} {mine!r} -> {theirs!r}" for name, (mine, theirs) in found.values.items())
    in_flight = "" if found.in_position else " (the target was not seen to be past the source's position)"
    return f"{found.kind.value.lower()} {row}{columns}{in_flight}"


def _word(outcome: Outcome) -> str:
    return outcome.value.lower().replace("_", " ")
