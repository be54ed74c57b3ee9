"""Targets that follow their source: each shape that comes down the stream is looked at before the first row of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compute.core.batch import TableChanges
from compute.core.catching_up import catch_up
from compute.destinations.base import TableTarget
from rosetta.enums import SchemaPolicy
from rosetta.errors import ConfigurationError, OutageError, RosettaError
from rosetta.types import TableSchema
from rosetta.types.evolution import ChangeKind, changes_between, needs_consent, shape_of

if TYPE_CHECKING:
    from compute.core.work import Desk

Shape = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class Fits:
    """The shapes of the stream, with their keys, that each target was found to have room for."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[TableTarget, set[Shape]]] = {}

    def has(self, target: TableTarget, changes: TableChanges) -> bool:
        known = self._known.get(target.sync_id)
        return known is not None and known[0] is target and (*changes.shape, changes.key) in known[1]

    def note(self, target: TableTarget, changes: TableChanges) -> None:
        known = self._known.get(target.sync_id)
        if known is None or known[0] is not target:
            known = self._known[target.sync_id] = (target, set())
        known[1].add((*changes.shape, changes.key))


@dataclass(frozen=True, slots=True)
class FitWork:
    """The source's table was looked at: its target follows at once, whether or not a change ever needs that."""

    sync_id: int
    schema: TableSchema
    policy: SchemaPolicy

    def run(self, desk: Desk) -> None:
        target = desk.targets.get(self.sync_id)
        if target is None:
            return
        target = desk.targets[self.sync_id] = replace(target, policy=self.policy)
        if _is_held(desk, target):
            return
        grown = _like(desk, target, self.schema)
        if grown is not None and grown != target:
            grow(desk, grown)


def followed(target: TableTarget, schema: TableSchema, policy: SchemaPolicy) -> tuple[TableTarget, TableSchema | None]:
    """The target as it is to be now that its source is like `schema`, and its policy this one; what its writer hears.

    Where a person must be asked, it stays: only the stream knows from where on. But another key of the same columns is
    nothing that every engine's stream shows, so the writer hears of that at once. None: there is nothing to hear.
    Raises ConfigurationError when the target's rules do not fit `schema`.
    """
    if target.source_schema == schema and target.policy is policy:
        return target, None
    changes = changes_between(shape_of(target.source_schema), shape_of(schema))
    asks = {change.kind for change in changes if needs_consent(change, policy)}
    now = replace(target if asks else target.of(schema), policy=policy)
    if asks == {ChangeKind.KEY_CHANGED}:
        return now, schema
    return now, None if now == target else now.source_schema


def fitting_targets(desk: Desk, changes: TableChanges) -> list[TableTarget]:
    """The targets that changes are for, made to follow first where the stream has another shape than they know."""
    targets = [
        _fitting(desk, target, changes) for target in desk.targets_of(changes.table) if changes.is_for(target.sync_id)
    ]
    return [target for target in targets if target.sync_id in desk.targets]


def _fitting(desk: Desk, target: TableTarget, changes: TableChanges) -> TableTarget:
    if _is_held(desk, target) or desk.fits.has(target, changes):
        return target
    known = target.source_schema if changes.made_for is None else target.schema
    fitted = target
    if not fits_at_sight(known, changes):
        schema = desk.events.current_schema(changes.table)
        grown = target if schema is None else _like(desk, target, schema)
        if grown is None:
            return target
        if grown != target:  # else these changes are older than what the target has followed already
            fitted = grow(desk, grown)
            if fitted is not grown:
                return fitted
    desk.fits.note(fitted, changes)
    return fitted


def fits_at_sight(schema: TableSchema, changes: TableChanges) -> bool:
    """Whether changes are of a table that is as `schema` says; where they do not tell their types, by the names."""
    if changes.key != schema.key:
        return False
    if not changes.types or not all(column.type_id for column in schema.columns):
        return set(changes.columns) <= set(schema.column_names)
    return changes.columns == schema.column_names and all(
        _same_type(column.type_id, said) for column, said in zip(schema.columns, changes.types, strict=True)
    )


def _same_type(known: str, said: str) -> bool:
    """Debezium has its own words for a modifier; of a type that it names for the first time only the id is compared."""
    identity, *modifiers = said.split(":")
    return known == said or (len(modifiers) > 1 and known.split(":", maxsplit=1)[0] == identity)


def grow(desk: Desk, grown: TableTarget) -> TableTarget:
    """Has the target follow what its table is now, and serves it so; returns the table as it is served after that."""
    target = desk.targets[grown.sync_id]
    try:
        make_fit(desk, grown)
    except OutageError:
        raise
    except RosettaError as error:
        desk.cannot_take(target, error)
        return target
    desk.targets[target.sync_id] = grown
    return grown


def make_fit(desk: Desk, target: TableTarget) -> None:
    """As `ensure_table`, and tells when rows of the target have to be copied again."""
    catch_up(desk, wholly=True)
    if desk.destination.ensure_table(target):
        desk.events.table_outdated(target.sync_id)


def _like(desk: Desk, target: TableTarget, schema: TableSchema) -> TableTarget | None:
    """The target with its source like `schema`; None where its rules do not fit that, and it waits."""
    try:
        return target.of(schema)
    except ConfigurationError as error:
        desk.cannot_take(target, error)
        return None


def _is_held(desk: Desk, target: TableTarget) -> bool:
    return desk.parking is not None and target.sync_id in desk.parking.held
