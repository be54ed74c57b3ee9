"""Writing batches whose refusals are looked at."""

from __future__ import annotations

from collections.abc import Sequence

from compute.destinations.base import Destination, TableTarget, WriteResult
from compute.tests.contract.changes import Change, batch, changes, position, schema, target

THINGS = schema("things", (("id", "bigint"), ("n", "integer"), ("body", "text")))
BAD = Change("c", 30, ("99", "none", "x"))


def made(*rows: Sequence[str | None], start: int = 1) -> list[Change]:
    """Creates with rising LSNs."""
    return [Change("c", lsn, row) for lsn, row in enumerate(rows, start)]


def write(destination: Destination, end: int, *writes: tuple[TableTarget, list[Change]]) -> WriteResult:
    result = destination.write_changes(batch(end, *((of, changes(of.schema, its)) for of, its in writes)))
    assert result.position == position(end) == destination.durable_position()
    return result


def refused(result: WriteResult) -> list[tuple[str, list[str]]]:
    """Error code and payload lines of each record; no table was refused whole."""
    assert result.refusal.tables == {}
    return [(record.error.code, bytes(record.changes.data).decode().splitlines()) for record in result.refusal.records]


def lines_of(of: TableTarget, *its: Change) -> list[str]:
    return bytes(changes(of.schema, its).data).decode().splitlines()


def five_things(destination: Destination) -> TableTarget:
    """A table with the rows 1 to 5, as of position 10."""
    of = target(THINGS, sync_id=4)
    destination.ensure_table(of)
    assert not write(destination, 10, (of, made(*((str(n), str(n), f"big{n}") for n in range(1, 6))))).refusal
    return of
