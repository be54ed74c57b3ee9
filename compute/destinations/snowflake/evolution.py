"""A target whose source has changed its shape: it follows where that loses nothing, else it is refused."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from compute.destinations.base import TableTarget
from compute.destinations.snowflake.session import Session
from rosetta.dialects.snowflake import tables
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.dialects.snowflake.names import Naming, quoted
from rosetta.enums import SyncMode
from rosetta.errors import SchemaMismatchError
from rosetta.types.evolution import ChangeKind, SchemaChange, changes_between, needs_consent, shape_of

_OF_VALUES: Final = frozenset({ChangeKind.COLUMN_ADDED, ChangeKind.TYPE_WIDENED, ChangeKind.TYPE_CHANGED})


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What the target was made to fit last; `outdated`: rows of it have missed something since."""

    shape: str | None = None
    storage: str | None = None
    outdated: bool | None = None


class Evolution:
    """One target's step from what its source was to what it is."""

    def __init__(
        self, session: Session, target: TableTarget, table: MergeTable, naming: Naming, known: KnownSource
    ) -> None:
        self._session = session
        self._target = target
        self._table = table
        self._known = known
        self._shape = shape_of(target.schema)
        self._changes = () if known.shape is None else changes_between(json.loads(known.shape), self._shape)
        self._naming = naming

    def check(self, present: Collection[str]) -> None:
        """Raises SchemaMismatchError for changes that a person has to see to, unless the target shows them already."""
        if self._target.anew:
            return
        waiting = [
            change
            for change in self._changes
            if needs_consent(change, self._target.policy) and not self._shown(change, present)
        ]
        if waiting:
            raise SchemaMismatchError(
                f"{self._target.source} is not what it was: {'; '.join(map(str, waiting))}",
                code="SCHEMA_CHANGED",
                remedy="\n".join(["-- At the target, to go on with what it has:", *map(self._remedy, waiting)])
                + "\n-- Or set desired_state = 'RESYNC': the table is copied again, as it is now.",
            )

    def remember(self) -> bool:
        """Notes what the source is now; whether rows of the target have missed something by then."""
        outdated = not self._target.anew and (bool(self._known.outdated) or self._misses_something())
        shape, storage = json.dumps(self._shape, sort_keys=True), self._target.schema.storage
        if (self._known.shape, self._known.storage, bool(self._known.outdated)) != (shape, storage, outdated):
            sql = tables.remember_source_sql(self._table.target, shape, storage, outdated=outdated)
            self._session.run(sql, f"noting the source of {self._target.target}")
        return outdated

    def _misses_something(self) -> bool:
        """Whether the source has given rows values that no change in the stream told of.

        A column that joins is NULL in the rows that the target has, whatever default it has at the source. In append
        mode history stays what it was.
        """
        if self._target.mode is SyncMode.APPEND:
            return False
        kinds = {change.kind for change in self._changes}
        added = [change.column for change in self._changes if change.kind is ChangeKind.COLUMN_ADDED and change.column]
        filled = any(self._target.schema.column(name).missing is not None for name in added)
        rewritten = self._known.storage != self._target.schema.storage or self._target.copying
        return ChangeKind.TABLE_REPLACED in kinds or filled or bool(kinds & _OF_VALUES and rewritten)

    def _shown(self, change: SchemaChange, present: Collection[str]) -> bool:
        """Whether the target is as if it had followed the change."""
        name = self._name(change.column)
        match change.kind:
            case ChangeKind.COLUMN_ADDED:
                return name in present
            case ChangeKind.COLUMN_DROPPED:
                return name not in present
            case ChangeKind.COLUMN_RENAMED:
                return name in present and self._name(str(change.before)) not in present
            case _:
                return False

    def _remedy(self, change: SchemaChange) -> str:
        """What a person runs at the target to have it follow."""
        table, column = self._table.name, quoted(self._name(change.column))
        match change.kind:
            case ChangeKind.COLUMN_ADDED:
                wanted = next(one.type.name for one in self._table.columns if one.name == self._name(change.column))
                return f"ALTER TABLE {table} ADD COLUMN {column} {wanted};"
            case ChangeKind.COLUMN_DROPPED:
                return f"ALTER TABLE {table} DROP COLUMN {column};"
            case ChangeKind.COLUMN_RENAMED:
                return f"ALTER TABLE {table} RENAME COLUMN {quoted(self._name(str(change.before)))} TO {column};"
            case _:
                return f"-- {change}: only a copy can follow."

    def _name(self, column: str | None) -> str:
        """At the target."""
        return self._naming.name(column or "_")
