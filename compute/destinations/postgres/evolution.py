"""A target whose source has changed its shape: made to follow where that loses nothing, else refused with the SQL.

What the source was when the target was last made to fit stands beside the target, in its own database: whatever happens
to processes or to the config database, the difference that counts is that of the target.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from compute.destinations.base import TableTarget
from compute.destinations.postgres.session import Session
from rosetta.dialects.postgres import ddl, literal, qualified, quoted
from rosetta.dialects.postgres.merge_table import side_tables
from rosetta.dialects.postgres.target_facts import TargetColumn, TargetTable
from rosetta.enums import SyncMode
from rosetta.errors import SchemaMismatchError
from rosetta.types.evolution import ChangeKind, SchemaChange, changes_between, needs_consent, shape_of
from rosetta.types.widening import holds

SCHEMA_CHANGED: Final = "SCHEMA_CHANGED"
_OF_VALUES: Final = frozenset({ChangeKind.COLUMN_ADDED, ChangeKind.TYPE_WIDENED, ChangeKind.TYPE_CHANGED})


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What the target was made to fit last; `outdated`: rows of it have missed something since."""

    shape: Mapping[str, Any] | None = None
    storage: str | None = None
    outdated: bool = False


class Evolution:
    """One target's step from what its source was to what it is, inside the caller's transaction."""

    def __init__(
        self, session: Session, target: TableTarget, known: KnownSource, types: Mapping[str, str], copy_name: str
    ) -> None:
        """`types`: of the source's columns, as the target names them. `copy_name`: suffix of the copy's side tables."""
        self._session = session
        self._copy_name = copy_name
        self._target = target
        self._known = known
        self._types = types
        self._shape = shape_of(target.schema)
        self._before: Mapping[str, TargetColumn] = {}
        self._changes = () if known.shape is None else changes_between(known.shape, self._shape)

    def check(self, existing: TargetTable) -> None:
        """Raises SchemaMismatchError for changes that a person has to see to, unless the target shows them already."""
        self._before = existing.columns
        if self._target.anew:
            return
        waiting = [
            change
            for change in self._changes
            if needs_consent(change, self._target.policy) and not self._shown(change, existing)
        ]
        if waiting:
            raise SchemaMismatchError(
                f"{self._target.source} is not what it was: {'; '.join(str(change) for change in waiting)}",
                code=SCHEMA_CHANGED,
                remedy="\n".join(["-- At the target, to go on with what it has:", *self._remedies(waiting)])
                + "\n-- Or set desired_state = 'RESYNC': the table is copied again, as it is now.",
            )

    def widen(self, existing: TargetTable) -> bool:
        """Gives columns the wider types that the source has given them; whether there were any."""
        names = self._columns(ChangeKind.TYPE_WIDENED)
        widened = {
            name: self._types[name]
            for name in names
            if name in existing.columns and self._is_narrower(existing.columns[name].type, name)
        }
        if widened:
            self._session.run(ddl.alter_types_sql(self._target.target, widened), f"widening {self._target.target}")
        if self._target.copying:
            self._follow_beside(widened, self._columns(ChangeKind.COLUMN_ADDED))
        return bool(widened)

    def remember(self) -> bool:
        """Notes what the source is now; whether rows of the target have missed something by then."""
        outdated = not self._target.anew and (self._known.outdated or self._misses_something())
        shape, storage = json.dumps(self._shape, sort_keys=True), self._target.schema.storage
        known = json.dumps(self._known.shape, sort_keys=True), self._known.storage, self._known.outdated
        if known != (shape, storage, outdated):
            sql = ddl.remember_source_sql(self._target.target, shape, storage, outdated=outdated)
            self._session.run(sql, f"noting the source of {self._target.target}")
        return outdated

    # ---------------------------------------------------------------------------------------------

    def _columns(self, kind: ChangeKind) -> list[str]:
        return [change.column for change in self._changes if change.kind is kind and change.column is not None]

    def _misses_something(self) -> bool:
        """Whether the source has given rows values that no change in the stream told of.

        A column that joins with a value that does not vary, and a type that the stored bytes serve as well, leave the
        table's storage as it is. Anything else writes all rows anew. A table that is being copied has rows from before
        and from after; a column that a person has made at the target lacks that value; in append mode history stays
        what it was.
        """
        kinds = {change.kind for change in self._changes}
        if self._target.mode is SyncMode.APPEND:
            return False
        added = set(self._columns(ChangeKind.COLUMN_ADDED))
        foreign = any(self._target.schema.column(name).missing is not None for name in added & self._before.keys())
        rewritten = self._known.storage != self._target.schema.storage or self._target.copying
        return ChangeKind.TABLE_REPLACED in kinds or foreign or bool(kinds & _OF_VALUES and rewritten)

    def _is_narrower(self, present: str, column: str) -> bool:
        wanted = self._types[column]
        enum = self._target.schema.column(column).is_enum
        return not holds(present, wanted, enum=enum) and holds(wanted, present, enum=enum)

    def _shown(self, change: SchemaChange, existing: TargetTable) -> bool:
        """Whether the target is as if it had followed the change."""
        present = existing.columns.get(change.column or "")
        match change.kind:
            case ChangeKind.COLUMN_ADDED:
                return present is not None
            case ChangeKind.COLUMN_DROPPED:
                return present is None
            case ChangeKind.COLUMN_RENAMED:
                return present is not None and change.before not in existing.columns
            case ChangeKind.TYPE_WIDENED | ChangeKind.TYPE_CHANGED:
                return present is not None and present.type == self._types[present.name]
            case ChangeKind.KEY_CHANGED:
                key = ddl.target_key(self._target.schema, self._target.mode)
                return bool(key) and existing.has_unique_key(key)
            case _:
                return False

    def _remedies(self, changes: list[SchemaChange]) -> Iterator[str]:
        """What a person runs at the target to have it follow."""
        table = qualified(self._target.target)
        for change in changes:
            column = quoted(change.column or "_")
            wanted = self._types.get(change.column or "", "text")
            match change.kind:
                case ChangeKind.COLUMN_ADDED:
                    yield f"ALTER TABLE {table} ADD COLUMN {column} {wanted};"
                case ChangeKind.COLUMN_DROPPED:
                    yield f"ALTER TABLE {table} DROP COLUMN {column};"
                case ChangeKind.COLUMN_RENAMED:
                    yield f"ALTER TABLE {table} RENAME COLUMN {quoted(change.before or '_')} TO {column};"
                case ChangeKind.TYPE_WIDENED | ChangeKind.TYPE_CHANGED:
                    yield f"ALTER TABLE {table} ALTER {column} TYPE {wanted} USING {column}::text::{wanted};"
                case ChangeKind.KEY_CHANGED if self._target.schema.key:
                    for name in self._target.schema.key:
                        if name not in self._before:
                            yield f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {self._types[name]};"
                    key = ", ".join(quoted(name) for name in self._target.schema.key)
                    yield f"CREATE UNIQUE INDEX ON {table} ({key});"
                case _:
                    yield f"-- {change}: only a copy can follow."

    def _follow_beside(self, widened: Mapping[str, str], added: list[str]) -> None:
        """A copy that is under way keeps keys, or whole changes, in tables of its own: columns k1, k2, or c1, c2."""
        names, letter = (self._target.schema.key, "k") if self._target.schema.key else (self._types, "c")
        places = {name: f"{letter}{number}" for number, name in enumerate(names, 1)}
        parts = [f"ALTER COLUMN {places[name]} TYPE {wanted}" for name, wanted in widened.items() if name in places]
        if letter == "c":
            parts += [f"ADD COLUMN {places[name]} {self._types[name]}" for name in added]
        doing = f"going on with the copy of {self._target.target}"
        for table in side_tables(self._copy_name) if parts else ():
            if self._session.rows(f"SELECT to_regclass({literal(table)}) IS NOT NULL", doing)[0][0]:
                self._session.run(f"ALTER TABLE {table} {', '.join(parts)}", doing)
