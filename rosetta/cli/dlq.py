"""`rosetta dlq`: what is parked, and what a person decides about it; what is written, compute writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlalchemy.orm import Session

from rosetta.cli.config_session import audit, config_session
from rosetta.cli.dlq_options import Class, Code, Destination, Key, Kind, Table, selecting
from rosetta.cli.dlq_output import print_contents, print_records, print_sums, record_as_json
from rosetta.cli.dlq_selection import Chosen, chosen, place_named, sums_by_name
from rosetta.cli.target import keyring
from rosetta.dead_letters import actions, search
from rosetta.dead_letters.actions import Done, Edit, RecordMissingError
from rosetta.dead_letters.search import OPEN, Place, Window
from rosetta.dead_letters.showing import contents_of
from rosetta.enums import DlqState
from rosetta.errors import ConfigurationError

dlq = typer.Typer(help="The dead-letter queue: changes that a destination could not take.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="For programs.")]

_DOING: Final = "reading the dead-letter queue"


@dlq.command("list")
def list_records(  # noqa: PLR0913 - one parameter for each option
    pipeline: Annotated[str | None, typer.Argument(help="Name of the pipeline; left out: a sum for each.")] = None,
    *,
    destination: Destination = None,
    table: Table = None,
    error_class: Class = None,
    code: Code = None,
    kind: Kind = None,
    key: Key = None,
    state: Annotated[list[DlqState] | None, typer.Option(help="May be repeated; left out: the open ones.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    after: Annotated[int | None, typer.Option(help="Id of the last record of the page before.")] = None,
    newest_first: Annotated[bool, typer.Option("--newest-first")] = False,
    as_json: Json = False,
) -> None:
    """List parked records in the order in which they were parked, without their values."""
    with config_session(_DOING) as session:
        if pipeline is None:
            print_sums(sums_by_name(session), as_json=as_json)
            return
        place = place_named(session, pipeline, destination)
        wanted = Chosen(table=table, error_class=error_class, error_code=code, kind=kind, key=tuple(key or ()))
        criteria = wanted.criteria(keyring, tuple(state or OPEN))
        rows, total = search.page(session, place, criteria, Window(limit, 0, after, newest_first))
        print_records(rows, total, limit, as_json=as_json)


@dlq.command()
def show(
    record_id: Annotated[int, typer.Argument(help="Id of the record.")],
    *,
    changes: Annotated[int, typer.Option(min=1, help="How many of a segment's changes to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Show one record with the values of its changes."""
    with config_session(_DOING) as session:
        record = search.find(session, _place_of(session, record_id), record_id)
        if record is None:
            raise RecordMissingError(record_id)
        contents = contents_of(record, keyring(), changes)
        neighbours = search.behind(session, record), search.ahead(session, record)
    if as_json:
        print(json.dumps(record_as_json(record, contents, neighbours), indent=2, ensure_ascii=False))
    else:
        print_contents(record, contents, neighbours)


@dlq.command()
def edit(
    record_id: Annotated[int, typer.Argument(help="Id of the record.")],
    *,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="`column=value`, in the text form of the source's type.")
    ] = None,
    null: Annotated[list[str] | None, typer.Option(help="A column to set to NULL.")] = None,
    values_from: Annotated[
        Path | None, typer.Option(help="A JSON object of column to text or null; `-` for standard input.")
    ] = None,
    change: Annotated[int, typer.Option(min=0, help="Which of the record's changes, from 0.")] = 0,
) -> None:
    """Mend values of a record; compute is asked to try it again."""
    given = _values(values or [], null or [], values_from)
    with config_session("editing a parked record") as session:
        place = _place_of(session, record_id)
        actions.edit(session, place, keyring(), Edit(record_id, given, change), None)
        details = {"record_id": record_id, "columns": sorted(given), "change": change}
        audit(session, "dlq.edit", _name(place), **details)
    print(f"record {record_id} was edited and will be tried again: {', '.join(sorted(given))}")


@dlq.command()
@selecting
def replay(wanted: Chosen, *, as_json: Json = False) -> None:
    """Ask compute to try records again at once, also those whose automatic retries have ended."""

    def ask(session: Session, place: Place, mine: Chosen) -> Done:
        if mine.everything:
            return Done(actions.ask_for_all(session, place), complete=True)
        return actions.ask_for(session, place, mine.criteria(keyring))

    count = _done_in_parts("dlq.recover", wanted, ask)
    print(json.dumps({"asked": count}) if as_json else f"{count} records will be tried again")


@dlq.command()
@selecting
def discard(
    wanted: Chosen,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")],
    as_json: Json = False,
) -> None:
    """Give records up for good: their changes never reach the target."""
    if not reason.strip():
        raise typer.BadParameter("a reason says something", param_hint="--reason")

    def give_up(session: Session, place: Place, mine: Chosen) -> Done:
        return actions.discard(session, place, mine.criteria(keyring), reason, None)

    count = _done_in_parts("dlq.discard", wanted, give_up, reason=reason)
    print(json.dumps({"discarded": count}) if as_json else f"{count} records were discarded")


def _done_in_parts(action: str, wanted: Chosen, act: Callable[[Session, Place, Chosen], Done], **details: Any) -> int:
    """Acts on a selection of any size, a transaction and an audit entry for each part; returns how many records."""
    count, complete = 0, False
    while not complete:
        complete = True
        with config_session("working on the dead-letter queue") as session:
            for place, mine in chosen(session, wanted):
                done = act(session, place, mine)
                count += done.done.records
                complete = complete and done.complete
                audit(session, action, _name(place), records=done.done.records, **details, **mine.said())
    return count


def _place_of(session: Session, record_id: int) -> Place:
    place = search.located(session, [record_id]).get(record_id)
    if place is None:
        raise RecordMissingError(record_id)
    return place


def _name(place: Place) -> str:
    return f"{place.pipeline_id}/{place.destination_id}"


def _values(pairs: list[str], null: list[str], source: Path | None) -> dict[str, str | None]:
    given: dict[str, str | None] = {} if source is None else _read(source)
    for pair in pairs:
        column, sign, value = pair.partition("=")
        if not sign:
            raise typer.BadParameter("write column=value", param_hint="--set")
        given[column] = value
    given |= dict.fromkeys(null)
    if not given:
        raise typer.BadParameter("name at least one value, by --set, --null or --values-from")
    return given


def _read(source: Path) -> dict[str, str | None]:
    try:
        found = json.loads(sys.stdin.read() if str(source) == "-" else source.read_text())
    except (OSError, ValueError):
        # the text of either may quote what was read
        raise ConfigurationError("the values cannot be read", remedy="Name a file that holds a JSON object.") from None
    if not isinstance(found, dict) or not all(value is None or isinstance(value, str) for value in found.values()):
        raise ConfigurationError("the values must be a JSON object of column to text or null")
    return found
