"""Versions of the sources' tables: which look at a table shows a new one, and what people are told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rosetta.enums import Severity
from rosetta.identifiers import TableId
from rosetta.types import TableSchema
from rosetta.types.evolution import Shape, changes_between, diff_json, shape_of

SCHEMA_CHANGED: Final = "SCHEMA_CHANGED"
_SEEN_AT: Final = "seen_at"


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """The newest version of a table that is kept."""

    version: int
    definition: Shape


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be kept; `diff` is None for a table's first."""

    table: TableId
    version: int
    definition: dict[str, Any]
    diff: dict[str, Any] | None

    def notice(self, source_id: int) -> dict[str, Any] | None:
        """A notification's own columns; one stays open per table, whatever else changes. None for a first version."""
        if self.diff is None:
            return None
        return {
            "kind": SCHEMA_CHANGED,
            "severity": Severity.INFO,
            "dedup_key": f"{SCHEMA_CHANGED}:{source_id}/{self.table}",
            "source_id": source_id,
            "title": f"{self.table} has changed its shape",
            "message": f"Version {self.version}: {'; '.join(change['text'] for change in self.diff['changes'])}.",
            "remedy": "Look at its table syncs: what a target cannot follow by itself waits there with its SQL.",
        }


def new_versions(known: Mapping[TableId, KnownVersion], seen: Iterable[TableSchema]) -> list[NewVersion]:
    """What is new of the tables as they were `seen`.

    A look that is older than the one that is kept says nothing: whoever polls may come behind whoever streams.
    """
    found: list[NewVersion] = []
    for schema in seen:
        definition = {**shape_of(schema), _SEEN_AT: schema.seen_at}
        kept = known.get(schema.table)
        if kept is None:
            found.append(NewVersion(schema.table, 1, definition, None))
            continue
        changes = changes_between(kept.definition, definition)
        if changes and schema.seen_at > kept.definition.get(_SEEN_AT, -1):
            found.append(NewVersion(schema.table, kept.version + 1, definition, diff_json(changes)))
    return found
