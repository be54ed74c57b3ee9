"""Which records a `rosetta dlq` command means, by names instead of ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from rosetta.dead_letters import search
from rosetta.dead_letters.actions import RecordMissingError
from rosetta.dead_letters.keys import searched_hashes
from rosetta.dead_letters.search import OPEN, Criteria, Place, Sum
from rosetta.enums import DlqKind, DlqState, ErrorClass
from rosetta.errors import ConfigurationError
from rosetta.identifiers import TableId
from rosetta.secrets import Keyring
from rosetta.tables import Destination, Pipeline, PipelineDestination


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was named on the command line."""

    ids: tuple[int, ...] = ()
    pipeline: str | None = None
    destination: str | None = None
    table: str | None = None
    error_class: ErrorClass | None = None
    error_code: str | None = None
    kind: DlqKind | None = None
    key: tuple[str, ...] = ()
    everything: bool = False

    def criteria(self, keyring: Callable[[], Keyring], states: tuple[DlqState, ...] = OPEN) -> Criteria:
        """Raises ConfigurationError for a key without its table."""
        table, hashes = None if self.table is None else _table(self.table), None
        if self.key:
            if table is None:
                raise ConfigurationError("a key belongs to a table", remedy="Name the table by --table too.")
            hashes = searched_hashes(keyring(), table, self.key)
        return Criteria(
            ids=self.ids,
            schema_name=None if table is None else table.schema,
            table_name=None if table is None else table.name,
            error_class=self.error_class,
            error_code=self.error_code,
            kind=self.kind,
            states=states,
            key_hashes=hashes,
        )

    def said(self) -> dict[str, Any]:
        """The selection for the audit log; a key is a row value, so it is only said that there was one."""
        if self.ids or self.everything:
            return {"ids": list(self.ids)} if self.ids else {"all": True}
        named = {
            "table": self.table,
            "error_class": self.error_class,
            "error_code": self.error_code,
            "kind": self.kind,
            "by_key": bool(self.key),
        }
        return {"filter": {name: value for name, value in named.items() if value}}

    @property
    def has_filter(self) -> bool:
        return bool(self.table or self.error_class or self.error_code or self.kind or self.key)


def chosen(session: Session, wanted: Chosen) -> Iterator[tuple[Place, Chosen]]:
    """The selection of each destination that it touches: ids may lie in several.

    Raises ConfigurationError when nothing, or two things at once, are selected, or a name is unknown.
    """
    if bool(wanted.ids) + wanted.has_filter + wanted.everything != 1:
        raise ConfigurationError(
            "select records by their ids, by --table, --class, --code, --kind and --key, or by --all",
            remedy="Use exactly one of these ways; the last two need --pipeline.",
        )
    if not wanted.ids:
        if wanted.pipeline is None:
            raise ConfigurationError("name the pipeline", remedy="Use --pipeline.")
        yield place_named(session, wanted.pipeline, wanted.destination), wanted
        return
    places = search.located(session, wanted.ids)
    by_place: dict[Place, list[int]] = defaultdict(list)
    for record_id in dict.fromkeys(wanted.ids):
        if record_id not in places:
            raise RecordMissingError(record_id)
        by_place[places[record_id]].append(record_id)
    for place, ids in by_place.items():
        yield place, replace(wanted, ids=tuple(ids))


def place_named(session: Session, pipeline: str, destination: str | None) -> Place:
    """Raises ConfigurationError for a name that is unknown, or when a destination must be named."""
    found = [
        place for place, names in _places(session).items() if names[0] == pipeline and destination in {None, names[1]}
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError("the pipeline has several destinations", remedy="Name one by --destination.")
    missing = f"pipeline {pipeline!r}" + (f" with a destination {destination!r}" if destination else "")
    raise ConfigurationError(f"there is no {missing}", remedy="`rosetta dlq list` names those that there are.")


def sums_by_name(session: Session) -> list[tuple[str, str, Sum]]:
    """What is open for every destination of every pipeline: names and sum."""
    places = _places(session)
    sums = search.open_sums(session, {place.pipeline_id for place in places})
    return [(*names, sums.get(place, Sum())) for place, names in places.items()]


def _places(session: Session) -> dict[Place, tuple[str, str]]:
    rows = session.execute(
        select(PipelineDestination.pipeline_id, PipelineDestination.destination_id, Pipeline.name, Destination.name)
        .join(Pipeline, Pipeline.id == PipelineDestination.pipeline_id)
        .join(Destination, Destination.id == PipelineDestination.destination_id)
        .order_by(Pipeline.name, Destination.name)
    )
    return {Place(row[0], row[1]): (row[2], row[3]) for row in rows}


def _table(name: str) -> TableId:
    schema, dot, table = name.partition(".")
    return TableId(schema, table) if dot else TableId("public", name)
