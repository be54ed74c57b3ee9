"""`rosetta backfill`: rows of a table copied again, all of them or those that pass filters; compute does it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from rosetta import backfills
from rosetta.backfills import OPEN, DestinationNotFedError, Wanted
from rosetta.cli.config_session import audit, config_session
from rosetta.enums import CopyStatus
from rosetta.errors import ConfigurationError
from rosetta.filters import parse_filters
from rosetta.identifiers import TableId
from rosetta.tables import CopyJob, Destination, Pipeline, PipelineDestination

backfill = typer.Typer(help="Copy rows of a table again, while the pipeline runs.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
JobId = Annotated[int, typer.Argument(help="Id of the backfill.")]

_DOING: Final = "reading backfills"
_LOOK_SECONDS: Final = 0.5
_HIDDEN: Final = frozenset({"table_sync_id", "backfill_id", "kind", "cursor_key", "progress_at"})
_FIELDS: Final = tuple(column.key for column in CopyJob.__table__.columns if column.key not in _HIDDEN)


@backfill.command()
def start(  # noqa: PLR0913 - one parameter for each option
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    table: Annotated[str, typer.Argument(help="Source table `schema.table`.")],
    *,
    where: Annotated[
        list[str] | None,
        typer.Option(help="A condition, such as \"created_at >= '2026-01-01'\"; may be repeated: all must be met."),
    ] = None,
    destination: Annotated[
        list[str] | None,
        typer.Option(help="Name of a destination; may be repeated. Left out: all with the table."),
    ] = None,
    batch_rows: Annotated[int | None, typer.Option(min=1, help="Most rows of a chunk.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until its end; exit code 1 unless it is completed.")] = False,
    as_json: Json = False,
) -> None:
    """Queue a backfill. Rows that do not pass are left as they are; without a condition the whole table is mended."""
    conditions = parse_filters(where or [])
    filters = tuple(condition.as_object() for condition in conditions)
    with config_session("queueing a backfill") as session:
        pipeline_id = _pipeline(session, pipeline)
        chosen = _destinations(session, pipeline_id, destination) if destination else None
        job = backfills.ask(session, Wanted(pipeline_id, _table(table), filters, chosen, batch_rows), None)
        filtered_by = [f"{condition.column} {condition.operator}" for condition in conditions]
        audit(session, "backfill.start", str(job.id), table=table, destinations=destination, filtered_by=filtered_by)
    if wait:
        job = _ended(job.id)
    _print([job], as_json=as_json)
    if wait and job.status is not CopyStatus.COMPLETED:
        raise typer.Exit(1)


@backfill.command("list")
def list_backfills(
    pipeline: Annotated[str | None, typer.Argument(help="Name of the pipeline; all of them when left out.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Json = False,
) -> None:
    """List backfills, the newest first."""
    with config_session(_DOING) as session:
        pipeline_id = None if pipeline is None else _pipeline(session, pipeline)
        jobs, total = backfills.recent(session, pipeline_id, limit)
    _print(jobs, as_json=as_json)
    if total > len(jobs) and not as_json:
        print(f"{len(jobs)} of {total}")


@backfill.command()
def show(job_id: JobId, *, as_json: Json = False) -> None:
    """Show how far a backfill is, how fast, and how long the rest takes."""
    with config_session(_DOING) as session:
        job = backfills.find(session, job_id)
    _print([job], as_json=as_json)


@backfill.command()
def cancel(job_id: JobId, *, as_json: Json = False) -> None:
    """End a backfill: at once when it has not begun, else within seconds. What is merged by then stays."""
    with config_session("cancelling a backfill") as session:
        job = backfills.cancel(session, job_id)
        audit(session, "backfill.cancel", str(job_id))
    _print([job], as_json=as_json)


def _ended(job_id: int) -> CopyJob:
    """The backfill at its end; its progress is told on standard error, where that is a terminal."""
    console = Console(file=sys.stderr, highlight=False)
    with console.status("waits") as status:
        while True:
            with config_session(_DOING) as session:
                job = backfills.find(session, job_id)
            if job.status not in OPEN:
                return job
            status.update(f"backfill {job.id}: {_progress(job)}")
            time.sleep(_LOOK_SECONDS)


def _print(jobs: Sequence[CopyJob], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_shape(job) for job in jobs], indent=2, ensure_ascii=False))
        return
    shown = Table(box=None, pad_edge=False)
    for name in ("id", "table", "status", "progress"):
        shown.add_column(name, no_wrap=name != "progress")
    for job in jobs:
        cells = (str(job.id), f"{job.schema_name}.{job.table_name}", job.status.value.lower(), _progress(job))
        shown.add_row(*cells)
    console = Console(highlight=False, markup=False)
    console.print(shown)
    for job in jobs:
        for line in _troubles(job):
            console.print(line, soft_wrap=True)


def _troubles(job: CopyJob) -> Iterator[str]:
    if job.error_message:
        yield f"backfill {job.id}: {job.error_code}: {job.error_message}"
    if job.error_remedy:
        yield f"  remedy: {job.error_remedy}"


def _progress(job: CopyJob) -> str:
    of_all = "" if job.rows_estimated is None else f" of ~{job.rows_estimated:,}"
    told = f"{job.rows_done:,}{of_all} rows"
    if job.rows_per_second is not None and job.status is CopyStatus.EXECUTING:
        told += f", {job.rows_per_second:,.0f}/s"
    if job.seconds_left is not None:
        told += f", {job.seconds_left:,.0f} s left"
    if job.cancel_requested and job.status in OPEN:
        told += ", is being cancelled"
    return f"{told}; {job.status_reason}" if job.status_reason else told


def _shape(job: CopyJob) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in _FIELDS}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()}


def _table(name: str) -> TableId:
    schema, _, table = name.rpartition(".")
    return TableId(schema or "public", table)


def _pipeline(session: Session, name: str) -> int:
    found = session.scalar(select(Pipeline.id).where(Pipeline.name == name))
    if found is None:
        remedy = "`rosetta export` names what there is."
        raise ConfigurationError(f"there is no pipeline {name!r}", code="PIPELINE_NOT_FOUND", remedy=remedy)
    return found


def _destinations(session: Session, pipeline_id: int, names: Sequence[str]) -> tuple[int, ...]:
    rows = session.execute(
        select(Destination.name, Destination.id)
        .join(PipelineDestination, PipelineDestination.destination_id == Destination.id)
        .where(PipelineDestination.pipeline_id == pipeline_id)
    )
    known = {row.name: row.id for row in rows}
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"the pipeline does not feed a destination {name!r}",
                code=DestinationNotFedError.code,
                remedy=f"It feeds: {', '.join(sorted(known))}.",
            )
    return tuple(dict.fromkeys(known[name] for name in names))
