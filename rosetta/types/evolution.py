"""What became of a source table between two looks at it: its shape as JSON, and the differences, matched by number.

A column's number (`pg_attribute.attnum`) is never used twice in a table, so a renamed column is told from one that was
dropped beside another that joined. Of a table that was dropped and made anew only the names can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from rosetta.enums import SchemaPolicy
from rosetta.types.schema import TableSchema
from rosetta.types.widening import holds

Shape = Mapping[str, Any]


class ChangeKind(StrEnum):
    COLUMN_ADDED = "column_added"
    COLUMN_DROPPED = "column_dropped"
    COLUMN_RENAMED = "column_renamed"
    TYPE_WIDENED = "type_widened"  # by the table of rules: the new type holds every value of the old one exactly
    TYPE_CHANGED = "type_changed"
    KEY_CHANGED = "key_changed"
    IDENTITY_CHANGED = "replica_identity_changed"
    TABLE_REPLACED = "table_replaced"  # dropped, and made anew under its name


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference. `before` and `after` are names, types, or a key's columns with commas between them."""

    kind: ChangeKind
    column: str | None = None
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        return _SENTENCES[self.kind].format(column=self.column, before=self.before, after=self.after)


_SENTENCES: Final = {
    ChangeKind.COLUMN_ADDED: "column {column} ({after}) was added",
    ChangeKind.COLUMN_DROPPED: "column {column} was dropped",
    ChangeKind.COLUMN_RENAMED: "column {before} was renamed to {after}",
    ChangeKind.TYPE_WIDENED: "column {column} was {before} and is {after}",
    ChangeKind.TYPE_CHANGED: "column {column} was {before} and is {after}",
    ChangeKind.KEY_CHANGED: "the key was ({before}) and is ({after})",
    ChangeKind.IDENTITY_CHANGED: "the replica identity was {before} and is {after}",
    ChangeKind.TABLE_REPLACED: "the table was dropped and made anew",
}
# What a target cannot follow by itself without losing something, or guessing.
_DESTRUCTIVE: Final = frozenset(
    {ChangeKind.COLUMN_DROPPED, ChangeKind.COLUMN_RENAMED, ChangeKind.TYPE_CHANGED, ChangeKind.KEY_CHANGED}
)
# The replica identity says what the source logs, and nothing of the target.
_CONSENT: Final[Mapping[SchemaPolicy, frozenset[ChangeKind]]] = {
    SchemaPolicy.EVOLVE: _DESTRUCTIVE,
    SchemaPolicy.IGNORE: _DESTRUCTIVE,  # of the columns that it selects: others are none of its shape
    SchemaPolicy.PAUSE: frozenset(ChangeKind) - {ChangeKind.IDENTITY_CHANGED},
}


def needs_consent(change: SchemaChange, policy: SchemaPolicy) -> bool:
    """Whether a table of this policy pauses until a person has seen to the change."""
    return change.kind in _CONSENT[policy]


def shape_of(schema: TableSchema) -> dict[str, Any]:
    """A schema as the JSON that versions keep. Equal shapes are the same table to whoever replicates it."""
    return {
        "relation": schema.relation,
        "columns": [
            {"number": column.number, "name": column.name, "type": column.type, "enum": column.is_enum}
            for column in schema.columns
        ],
        "key": list(schema.key),
        "replica_identity": schema.replica_identity.name.lower(),
    }


def changes_between(before: Shape, after: Shape) -> tuple[SchemaChange, ...]:
    """Every difference of two shapes, those of the columns first, in the order of the columns."""
    return tuple(_changes(before, after))


def diff_json(changes: tuple[SchemaChange, ...]) -> dict[str, Any]:
    """`schema_versions.diff`: each change without what it does not have, and its sentence."""
    return {
        "changes": [
            {name: value for name, value in asdict(change).items() if value is not None} | {"text": str(change)}
            for change in changes
        ]
    }


def _changes(before: Shape, after: Shape) -> Iterator[SchemaChange]:
    replaced = before["relation"] != after["relation"]
    if replaced:
        yield SchemaChange(ChangeKind.TABLE_REPLACED)
    numbered = all(column["number"] for shape in (before, after) for column in shape["columns"])
    by = "number" if numbered and not replaced else "name"
    old, new = ({column[by]: column for column in shape["columns"]} for shape in (before, after))
    renamed = {column["name"]: new[identity]["name"] for identity, column in old.items() if identity in new}
    for identity, column in old.items():
        present = new.get(identity)
        if present is None:
            yield SchemaChange(ChangeKind.COLUMN_DROPPED, column["name"], before=column["type"])
            continue
        if present["name"] != column["name"]:
            yield SchemaChange(ChangeKind.COLUMN_RENAMED, present["name"], column["name"], present["name"])
        if present["type"] != column["type"]:
            wider = holds(present["type"], column["type"], enum=column["enum"])
            kind = ChangeKind.TYPE_WIDENED if wider else ChangeKind.TYPE_CHANGED
            yield SchemaChange(kind, present["name"], column["type"], present["type"])
    for identity, column in new.items():
        if identity not in old:
            yield SchemaChange(ChangeKind.COLUMN_ADDED, column["name"], after=column["type"])
    if [renamed.get(name, name) for name in before["key"]] != list(after["key"]):
        yield SchemaChange(ChangeKind.KEY_CHANGED, before=", ".join(before["key"]), after=", ".join(after["key"]))
    if before["replica_identity"] != after["replica_identity"]:
        identities = before["replica_identity"], after["replica_identity"]
        yield SchemaChange(ChangeKind.IDENTITY_CHANGED, None, *identities)
