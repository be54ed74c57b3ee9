"""The shape of a source table, as its catalog states it."""

from __future__ import annotations

from dataclasses import dataclass, field

from rosetta.enums import ReplicaIdentity
from rosetta.identifiers import TableId


@dataclass(frozen=True, slots=True)
class UserType:
    """A type that the target must have before a column can use it.

    Attributes:
        kind: `enum`, `domain`, `composite`, `range` or `extension`.
        definition: enum labels; for a domain its base type and checks; for a composite `name type` of its
            fields; for an extension's type the extension's name.
    """

    schema: str
    name: str
    kind: str
    definition: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        type: `format_type()` with the schema of every type outside pg_catalog spelled out.
        nondeterministic: by its collation different text may be equal.
    """

    name: str
    type: str
    nullable: bool = True
    generated: bool = False
    user_types: tuple[UserType, ...] = ()
    nondeterministic: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table (or the root of a partitioned one) as it is replicated.

    Attributes:
        columns: all that reach the stream, in catalog order; generated columns are left out.
        key: columns that identify a row in the stream: the primary key, else the replica identity's index;
            empty for a table without either (then REPLICA IDENTITY FULL is needed).
    """

    table: TableId
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    replica_identity: ReplicaIdentity = ReplicaIdentity.DEFAULT
    partitioned: bool = False
    primary_key: tuple[str, ...] = field(default=())

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`. Raises KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
