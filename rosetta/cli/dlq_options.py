"""The options by which `rosetta dlq` commands are told which records they are about."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from rosetta.cli.dlq_selection import Chosen
from rosetta.enums import DlqKind, ErrorClass

Ids = Annotated[list[int] | None, typer.Argument(help="Ids of records; or select by the options.")]
Pipeline = Annotated[str | None, typer.Option(help="Name of the pipeline.")]
Destination = Annotated[str | None, typer.Option(help="Name of its destination; needed when it has several.")]
Table = Annotated[str | None, typer.Option(help="Source table `schema.table`.")]
Class = Annotated[ErrorClass | None, typer.Option("--class", help="OUTAGE or DATA.")]
Code = Annotated[str | None, typer.Option(help="Code of the error, e.g. PG_23514.")]
Kind = Annotated[DlqKind | None, typer.Option(help="RECORD or SEGMENT.")]
Key = Annotated[list[str] | None, typer.Option(help="Key of the row, repeated for each of its columns; needs --table.")]
All = Annotated[bool, typer.Option("--all", help="Everything that is open for the destination.")]


def _chosen(  # noqa: PLR0913 - one parameter for each option
    ids: Ids = None,
    *,
    pipeline: Pipeline = None,
    destination: Destination = None,
    table: Table = None,
    error_class: Class = None,
    code: Code = None,
    kind: Kind = None,
    key: Key = None,
    everything: All = False,
) -> Chosen:
    return Chosen(tuple(ids or ()), pipeline, destination, table, error_class, code, kind, tuple(key or ()), everything)


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """For a command whose first parameter is the selection: gives it the options that make one, before its own."""
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    shared = list(inspect.signature(_chosen, eval_str=True).parameters.values())

    @functools.wraps(command)
    def run(**given: Any) -> None:
        wanted = _chosen(**{option.name: given.pop(option.name) for option in shared})
        command(wanted, **given)

    run.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in (*shared, *own)}
    return run
